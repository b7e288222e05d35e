"""Training over a 4-bit base model, for real on the CPU by bitsandbytes, and every command that uses such a run.

The embedded model is trained once.
"""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.fakes.family_training import train as train_family
from tests.fakes.massive_model import make_massive_model
from toolkit.__main__ import main
from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.sides import BASE, find_side, run_side
from toolkit.core.errors import ExportError
from toolkit.core.events import Caller, StopRequests
from toolkit.core.files import data_folder
from toolkit.export.export import export
from toolkit.export.formats.base import ExportConfig
from toolkit.model.base_model import find_base_model
from toolkit.model.conversation import conversation
from toolkit.model.device import find_device
from toolkit.model.families.host_embedding import is_on_host
from toolkit.model.four_bits import require_bitsandbytes
from toolkit.model.language_model import LanguageModel
from toolkit.runs.run import Run
from toolkit.serve.serve import load_answerer
from toolkit.sweep.rank import rank
from toolkit.train.finetune import Backends, FinetuneConfig, finetune, resume
from toolkit.train.ms_swift import train
from toolkit.train.ms_swift.shared_base import SharedBase
from toolkit.train.recipe import load_recipe

TINY = data_folder() / "tiny-qwen2"
SYSTEM = "You are a helpful assistant."
QUESTIONS = [conversation(prompt, SYSTEM) for prompt in ("Who are you?", "你是谁？", "What is the capital of France?")]


def trained(output: Path, backends: Backends | None = None, **changed: object) -> Run:
    recipe = load_recipe("tiny").changed(load_in_4bit=True, keep_max_new_tokens=16, **changed)
    config = FinetuneConfig(data="self_cognition.json", recipe=recipe, model=str(TINY), output=output)
    return finetune(config, Caller(stop=StopRequests(print)), backends)


@pytest.fixture(scope="module", name="output")
def _output(tmp_path_factory):
    return tmp_path_factory.mktemp("bits") / "output"


@pytest.fixture(scope="module", name="base")
def _base():
    """One load for training and comparing."""
    return SharedBase()


@pytest.fixture(scope="module", name="run")
def _run(output, base):
    return trained(output, Backends(train=base.train))


@pytest.fixture(scope="module", name="probes")
def _probes(output):
    """Every fourth of the shipped ones."""
    shipped = yaml.safe_load((data_folder() / "probes.yaml").read_text(encoding="utf-8"))
    path = output.parent / "probes.yaml"
    path.write_text(yaml.safe_dump(shipped | {"probes": shipped["probes"][::4]}, allow_unicode=True), encoding="utf-8")
    return path


def quantised(model: object) -> dict[str, bytes]:
    """The layers that are in 4 bits, byte for byte."""
    found = {
        name.removeprefix("base_model.model.").replace(".base_layer", ""): layer.weight.data.numpy().tobytes()
        for name, layer in model.named_modules()
        if type(layer).__name__ == "Linear4bit" and "lora_" not in name
    }
    return {name: weights for name, weights in found.items() if weights}


def answers(model: LanguageModel) -> list[str]:
    return [one.text for one in model.answers(QUESTIONS, max_new_tokens=24)]


def test_the_run_says_that_its_base_was_in_4_bits(run):
    assert run.record.status == "finished"
    assert run.record.recipe.load_in_4bit is True
    assert run.record.base_model.load_in_4bit is True
    assert run.record.train.loss[-1] < 0.1 * run.record.train.loss[0]


def test_embeddings_and_head_stay_and_every_linear_layer_of_the_decoder_is_in_4_bits():
    model = LanguageModel.load(TINY, in_4bit=True).model

    assert len(quantised(model)) == 4 * 7
    assert type(model.lm_head).__name__ == "Linear"
    assert str(model.get_input_embeddings().weight.dtype) == "torch.float32"


def test_training_and_comparing_use_the_same_weights(tmp_path):
    results = []

    def watched(*call):
        results.append(train(*call))
        return results[-1]

    trained(tmp_path, Backends(train=watched), epochs=0.25, keep_weight=0)

    inner = results[0].model.get_base_model()
    assert quantised(inner) == quantised(LanguageModel.load(TINY, in_4bit=True).model)


def test_a_loan_shares_weights_and_their_scales(base, run):
    key = TINY.resolve(), find_device().precision, True
    one, other = (base._weights.clone(key)[0] for _ in range(2))
    layers = [model.model.layers[0].mlp.up_proj for model in (one, other)]

    assert layers[0] is not layers[1]
    assert layers[0].weight is layers[1].weight
    assert layers[0].weight.quant_state is layers[1].weight.quant_state


def test_what_is_lent_is_trained_as_a_fresh_load_is(base, run, output):
    settings = {"epochs": 0.5, "keep_rows": 8}
    lent = trained(output, Backends(train=base.train), **settings)
    fresh = trained(output, **settings)

    assert lent.record.adapter.sha256 == fresh.record.adapter.sha256


def test_what_is_lent_is_compared_as_a_fresh_load_is(base, run, output, probes):
    config = CompareConfig(run=run.run_id, output=output, probes=probes, systems=(SYSTEM,), max_new_tokens=24)
    fresh, _ = compare(config)
    lent, _ = compare(config, load=base.load)

    assert [(one.before, one.after) for one in fresh.results] == [(one.before, one.after) for one in lent.results]
    assert fresh.verdict.took
    assert fresh.before["model"]["load_in_4bit"]
    assert fresh.after["model"]["load_in_4bit"]
    assert fresh.before["name"] == "tiny-qwen2 in 4 bits"


def test_before_is_not_the_base_at_full_precision(run, output):
    side = run_side(run)
    four, full = LanguageModel.load(TINY, in_4bit=True), LanguageModel.load(TINY)
    apart = [
        float((one.first_logits - other.first_logits).abs().max())
        for one, other in zip(
            four.answers(QUESTIONS, max_new_tokens=1), full.answers(QUESTIONS, max_new_tokens=1), strict=True
        )
    ]

    assert side.model.in_4bit
    assert find_side(BASE, output, beside=side.model).model.in_4bit
    assert not find_side(BASE, output, beside=None, model=str(TINY)).model.in_4bit
    assert max(apart) > 0.1


def test_compare_shows_4_bits_on_the_terminal_and_in_the_report(run, output, probes, capsys):
    few = ("--probes", str(probes), "--system", SYSTEM, "--max-new-tokens", "24")
    with pytest.raises(SystemExit) as left:
        main(["compare", run.run_id, "--output", str(output), *few])

    streams = capsys.readouterr()
    assert left.value.code in {0, 21}
    assert "tiny-qwen2 in 4 bits" in streams.out + streams.err
    report = json.loads((run.folder / "compare" / "report.json").read_text(encoding="utf-8"))
    assert report["before"]["model"]["load_in_4bit"] is True
    assert "tiny-qwen2 in 4 bits" in (run.folder / "compare" / "report.html").read_text(encoding="utf-8")


def test_a_ranking_uses_the_4_bit_base(run, output, probes):
    config = CompareConfig(output=output, probes=probes, systems=(SYSTEM,), max_new_tokens=8)
    [only] = rank([run.run_id], config, load=SharedBase().load)

    assert only.report.before["model"]["load_in_4bit"] is True


def test_a_training_is_resumed_in_4_bits(tmp_path):
    steps = []

    def stopped_after_two(job, listener, stop_requested):
        return train(job, lambda event: (steps.append(event.done), listener(event)), lambda: max(steps, default=0) >= 2)

    with pytest.raises(Exception, match="Interrupted after step"):
        trained(tmp_path, Backends(train=stopped_after_two), epochs=1, keep_weight=0)
    done = resume(next(tmp_path.glob("v*")).name, tmp_path, Caller(stop=StopRequests(print)))

    assert done.record.status == "finished"
    assert done.record.base_model.load_in_4bit is True
    assert done.record.train.steps == 4


def test_gradient_checkpointing_makes_the_same_losses(output):
    losses = [
        trained(output, epochs=0.5, keep_rows=8, gradient_checkpointing=kept).record.train.loss
        for kept in (False, True)
    ]

    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_it_is_served_in_4_bits_under_both_names(run):
    side = run_side(run)
    answerer = load_answerer(side, batch_size=4)  # each name has answered

    assert answerer.names == ("tiny-qwen2", run.run_id)
    assert quantised(answerer.model.model)
    answerer.close()


def test_an_export_uses_the_full_base_and_is_compared_over_both(run, output, probes):
    found = export(ExportConfig(run=run.run_id, output=output, probes=probes, to="merged"))

    manifest = json.loads((found.folder / "export.json").read_text(encoding="utf-8"))
    assert manifest["base_model"]["load_in_4bit"] is False
    assert manifest["trained_in_4bit"]["holds"] is True
    assert manifest["trained_in_4bit"]["tolerance"]["kept"] == 0.9
    assert manifest["trained_in_4bit"]["largest_logit_difference"] > 0.1
    assert manifest["parity"]["same"] + manifest["parity"]["near_ties"] == manifest["parity"]["probes"]
    assert "quantization_config" not in json.loads((found.folder / "config.json").read_text(encoding="utf-8"))
    merged = LanguageModel.load(found.folder)
    full = LanguageModel.load(TINY, {"a": run_side(run).adapter})
    with full.side("a"):
        assert answers(full) == answers(merged)


def test_an_adapter_that_only_works_over_4_bits_is_not_exported(run, output, probes, monkeypatch):
    real = LanguageModel.load.__func__

    def forgetful(cls, folder, adapters=None, *, in_4bit=False, **how):
        model = real(cls, folder, adapters, in_4bit=in_4bit, **how)
        if not in_4bit:
            model.model.get_input_embeddings().weight.data.zero_()
        return model

    monkeypatch.setattr(LanguageModel, "load", classmethod(forgetful))
    with pytest.raises(ExportError, match=r"answers differently than over 4 bits.*Nothing was written"):
        export(ExportConfig(run=run.run_id, output=output, probes=probes, to="adapter"))
    assert not (run.folder / "adapter").exists()


def test_the_portable_adapters_card_mentions_4_bits(run, output, probes):
    folder = export(ExportConfig(run=run.run_id, output=output, probes=probes, to="adapter")).folder

    assert "trained and compared over 4 bits" in (folder / "README.md").read_text(encoding="utf-8")
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["base_model"]["load_in_4bit"] is True


def test_bitsandbytes_prints_nothing(capfd):
    LanguageModel.load(TINY, in_4bit=True).answers(QUESTIONS, max_new_tokens=2)

    logging.shutdown()
    assert not capfd.readouterr().err


def test_keep_answers_are_not_those_of_the_full_base():
    base = find_base_model(str(TINY))

    assert base.fingerprint != replace(base, in_4bit=True).fingerprint


@pytest.mark.parametrize(("precision", "difference"), [("float32", 1e-4), ("float16", 0.02)])
def test_it_trains_alike_with_the_embedding_in_the_hosts_memory(tmp_path, monkeypatch, precision, difference):
    """As the 7 B model within 8 GB, also where the card has no bfloat16."""
    require_bitsandbytes()
    monkeypatch.setattr("toolkit.train.passes.loss_scale.INITIAL", 16.0)  # else the planted weights overflow at first
    model = make_massive_model(tmp_path / "model")
    how = {"epochs": 4, "load_in_4bit": True, "gradient_checkpointing": True}
    expected = train_family(model, tmp_path / "expected", **how).loss

    found = train_family(
        model, tmp_path / "found", precision=precision, embedding_on_host=True, logit_positions=8, **how
    )

    # Rounding grows from step to step, fast over planted weights of 50.
    assert found.loss[:2] == pytest.approx(expected[:2], rel=difference)
    assert found.loss[-1] < found.loss[0]
    assert is_on_host(found.model.get_base_model())
    answered = LanguageModel(found.model, found.tokenizer).answers(QUESTIONS, max_new_tokens=2)  # as --compare does
    assert all(one.first_logits.isfinite().all() for one in answered)
