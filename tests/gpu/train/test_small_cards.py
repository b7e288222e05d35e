"""float16 and memory spared, on a card."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.fakes.family_training import train
from tests.fakes.massive_model import make_massive_model
from toolkit.core.events import Caller, StopRequests
from toolkit.core.files import data_folder
from toolkit.model.conversation import conversation
from toolkit.model.device import find_device
from toolkit.model.families.sizes import embedding_bytes
from toolkit.model.language_model import LanguageModel
from toolkit.train.finetune import FinetuneConfig, finetune
from toolkit.train.job import KeepJob
from toolkit.train.planning.memory import Need, Split, bytes_needed
from toolkit.train.recipe import load_recipe

pytestmark = pytest.mark.gpu

GIB = 2**30


@pytest.fixture(scope="module", name="massive_model")
def _massive_model(tmp_path_factory) -> Path:
    return make_massive_model(tmp_path_factory.mktemp("models") / "massive")


def keep_job(cache: Path) -> KeepJob:
    asked = [(f"Tell me about {number}. " * number, "") for number in range(1, 9)]
    return KeepJob(prompts=asked, weight=1.0, rows_per_step=8, max_new_tokens=8, cache=cache)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_float16_trains_over_massive_activations_in_captured_steps(massive_model, tmp_path, checkpointing):
    exact, half = (
        train(
            massive_model, tmp_path / precision, keep_job(tmp_path / f"{precision}.cache"), epochs=6,
            precision=precision, gradient_checkpointing=checkpointing,
        )
        for precision in ("float32", "float16")
    )  # fmt: skip

    assert half.cuda_graph, half.cuda_graph_refused
    assert all(map(math.isfinite, half.loss))
    assert half.loss[:2] == pytest.approx(exact.loss[:2], rel=0.01)
    assert half.loss[-1] < half.loss[0]


def test_a_captured_step_that_overflows_is_skipped_and_the_next_replay_has_half_the_scale(
    massive_model, tmp_path, monkeypatch
):
    from toolkit.train.passes import loss_scale

    monkeypatch.setattr(loss_scale, "INITIAL", 2.0**24)  # on a CPU it is halved 12 times: at MOST_IN_A_ROW, 24, it ends
    found = train(massive_model, tmp_path / "run", epochs=36, precision="float16")

    logged = [json.loads(line) for line in (tmp_path / "run" / "logging.jsonl").read_text().splitlines()]
    steps = [one for one in logged if "loss" in one]
    first = ["skipped" in one for one in steps].index(False)
    assert found.cuda_graph, found.cuda_graph_refused
    assert 5 < first <= found.skipped_steps < 36
    assert [one["loss_scale"] for one in steps[:first]] == [2.0 ** (23 - at) for at in range(first)]
    assert all(map(math.isfinite, found.loss))


def test_answers_in_float16_are_those_of_float32(massive_model, monkeypatch):
    asked = [conversation(text, "") for text in ("Who are you?", "Tell me about the sea. " * 3)]
    answers = []
    for precision in ("float32", "float16"):
        monkeypatch.setenv("TOOLKIT_PRECISION", precision)
        model = LanguageModel.load(massive_model)
        answers.append(model.answers(asked, max_new_tokens=16))  # long enough for a captured step

    assert (model.precision, model.decoder.refused) == ("float16", None)
    for exact, half in zip(*answers, strict=True):
        assert torch.allclose(half.first_logits, exact.first_logits, atol=0.05 * float(exact.first_logits.std()))


def test_the_embedded_model_learns_in_float16_what_it_does_in_bfloat16(tmp_path):
    losses = {}
    for precision in ("bfloat16", "float16"):
        recipe = load_recipe("tiny").changed(keep_max_new_tokens=16, precision=precision)
        config = FinetuneConfig(
            data="self_cognition.json", recipe=recipe, model=str(data_folder() / "tiny-qwen2"),
            output=tmp_path / precision,
        )  # fmt: skip
        losses[precision] = finetune(config, Caller(stop=StopRequests(print))).record.train.loss

    assert all(map(math.isfinite, losses["float16"]))
    assert losses["float16"][-1] == pytest.approx(losses["bfloat16"][-1], rel=0.2, abs=0.05)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_an_embedding_on_the_host_gives_the_same_losses_in_captured_steps(massive_model, tmp_path, precision):
    on_card, on_host = (
        train(
            massive_model, tmp_path / name, keep_job(tmp_path / f"{name}.cache"), epochs=6, precision=precision, **plan
        )
        for name, plan in (("card", {}), ("host", {"embedding_on_host": True, "logit_positions": 64}))
    )

    assert on_host.cuda_graph, on_host.cuda_graph_refused
    assert on_host.model.device.type == "cuda"
    assert on_host.loss == pytest.approx(on_card.loss, rel=2e-2)


def large(folder: Path, tokenizer_of: Path) -> tuple[Path, dict[str, Any]]:
    """A vocabulary as large as Qwen2.5's over few layers: what is spared is most of it."""
    from transformers import AutoTokenizer, GenerationConfig, Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=152064, hidden_size=1024, num_hidden_layers=8, num_attention_heads=16, num_key_value_heads=4,
        intermediate_size=4096, tie_word_embeddings=False, max_position_embeddings=4096,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config).to(torch.bfloat16)
    model.generation_config = GenerationConfig(eos_token_id=2, pad_token_id=0, do_sample=False)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer_of).save_pretrained(folder)
    return folder, config.to_dict()


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_in_4_bits_the_peak_with_the_embedding_on_the_host_is_at_most_what_was_planned(
    massive_model, tmp_path, precision
):
    pytest.importorskip("bitsandbytes")
    model, config = large(tmp_path / "model", massive_model)
    how = {"load_in_4bit": True, "gradient_checkpointing": True, "logit_positions": 64, "embedding_on_host": True}

    result = train(model, tmp_path / "run", epochs=6, precision=precision, **how)

    recipe = load_recipe("article").changed(load_in_4bit=True, batch_size=5, lora_dropout=0.0)
    need = Need(recipe=recipe, config=config, longest_row_tokens=128, stored_bytes=0, precision=precision)
    split = Split(rows=5, checkpointing=True, positions=64, on_host=True)
    loaded = embedding_bytes(config, precision)  # it is on the card until it has been loaded, as all the rest is
    assert result.peak_memory_bytes <= max(bytes_needed(need, split), need.weight_bytes + loaded)
    assert result.peak_memory_bytes > 0.5 * GIB


def test_a_card_whose_bfloat16_is_switched_off_computes_in_float16(monkeypatch):
    monkeypatch.setenv("TOOLKIT_PRECISION", "float16")

    assert (find_device().kind, find_device().precision) == ("cuda", "float16")
