"""Exporting for real: what is written, what the parity gate accepts, and that a fault leaves nothing behind."""

import errno
import json
import shutil
from pathlib import Path

import pytest

from tests.fakes.disk import disk
from tests.fakes.made_run import make_lively, make_run, probes_of
from toolkit.__main__ import main
from toolkit.core.errors import ConfigError, ExportError
from toolkit.export import target
from toolkit.export.export import export
from toolkit.export.formats.base import Backends, ExportConfig
from toolkit.model.conversation import conversation
from toolkit.model.language_model import LanguageModel, load_model
from toolkit.runs.run import find_run

PROMPTS = ["你是谁？", "Who are you?", "法国的首都是哪里？", "Good morning!", "a"]


@pytest.fixture(scope="module", name="base")
def _base(lively_model, tmp_path_factory):
    """With a licence, and a generation_config.json of the base's own."""
    base = tmp_path_factory.mktemp("base") / "licensed"
    shutil.copytree(lively_model, base)
    (base / "LICENSE").write_text("Do as you please.\n", encoding="utf-8")
    settings = {"eos_token_id": [2, 0], "pad_token_id": 0, "do_sample": True, "repetition_penalty": 1.05}
    (base / "generation_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return base


@pytest.fixture(name="output")
def _output(base, tmp_path):
    make_run(tmp_path / "output", base, seed=2, strength=0.3)
    return tmp_path / "output"


@pytest.fixture(name="probes")
def _probes(tmp_path):
    (tmp_path / "probes.yaml").write_text(probes_of(PROMPTS), encoding="utf-8")
    return tmp_path / "probes.yaml"


def exported(output: Path, probes: Path, **config: object):
    return export(ExportConfig(output=output, probes=probes, **config))


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def run_toolkit(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return left.value.code


def plain_answers(folder: Path) -> list[list[int]]:
    """By plain transformers, without our code."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    answers = []
    for prompt in PROMPTS:
        text = tokenizer.apply_chat_template(
            conversation(prompt, "You are a helpful assistant."), tokenize=False, add_generation_prompt=True
        )
        ids = tokenizer(text, return_tensors="pt")
        new = model.generate(**ids, do_sample=False, repetition_penalty=1.0, max_new_tokens=24)[0]
        answers.append([token for token in new[ids["input_ids"].shape[1] :].tolist() if token not in {0, 2}])
    return answers


def test_a_merged_model_is_complete_and_answers_as_base_and_adapter(output, base, probes, capsys):
    code = run_toolkit("export", "--to", "merged", "--output", output, "--probes", probes)

    streams = capsys.readouterr()
    folder = find_run(None, output).folder / "merged"
    assert code == 0
    assert streams.out == f"{folder}\n"
    assert "parity: 5 of 5 answers the same" in streams.err
    assert "largest logit difference:" in streams.err
    assert files(folder) == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
        "chat_template.jinja", "LICENSE", "CHANGES.md", "export.json",
    }  # fmt: skip
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json", "LICENSE"):
        assert (folder / name).read_bytes() == (base / name).read_bytes()
    with_adapter = LanguageModel.load(base, {"tuned": find_run(None, output).adapter})
    with with_adapter.side("tuned"):
        prompts = [conversation(prompt, "You are a helpful assistant.") for prompt in PROMPTS]
        wanted = [answer.tokens for answer in with_adapter.answers(prompts, max_new_tokens=24)]
    assert plain_answers(folder) == wanted
    assert plain_answers(base) != wanted


def test_whoever_may_read_the_folder_may_read_the_weights(output, probes):
    folder = exported(output, probes).folder

    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def test_what_changed_is_stated_beside_the_weights(output, probes):
    folder = exported(output, probes).folder
    run = find_run(None, output)
    manifest = json.loads((folder / "export.json").read_text(encoding="utf-8"))

    changes = (folder / "CHANGES.md").read_text(encoding="utf-8")
    assert run.record.adapter.sha256 in changes
    assert run.run_id in changes
    assert manifest["adapter_sha256"] == run.record.adapter.sha256
    assert manifest["parity"]["holds"] is True
    assert manifest["base_model"]["name"] == "licensed"


def test_a_second_export_finds_the_first(output, probes, capsys):
    first = exported(output, probes)
    written = (first.folder / "model.safetensors").stat().st_mtime_ns

    code = run_toolkit("export", "--output", output, "--probes", probes)

    assert code == 0
    assert "Already exported from this adapter." in capsys.readouterr().err
    assert (first.folder / "model.safetensors").stat().st_mtime_ns == written
    assert files(first.folder.parent) == {"checkpoint-1", "merged", "run.json"}


def test_force_exports_again(output, probes):
    first = exported(output, probes)
    written = (first.folder / "model.safetensors").stat().st_mtime_ns

    second = exported(output, probes, force=True)

    assert second.fresh
    assert (second.folder / "model.safetensors").stat().st_mtime_ns > written
    assert files(first.folder.parent) == {"checkpoint-1", "merged", "run.json"}


def test_a_damaged_export_is_not_taken_for_complete(output, probes):
    folder = exported(output, probes).folder
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])

    with pytest.raises(ExportError, match=r"damaged.*--force"):
        exported(output, probes)
    assert exported(output, probes, force=True).fresh


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("manifest", [None, "", "[]", "{}"])
def test_a_foreign_folder_is_refused(output, probes, tmp_path, manifest, force):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work", encoding="utf-8")
    if manifest is not None:
        (foreign / "export.json").write_text(manifest, encoding="utf-8")

    with pytest.raises(ConfigError, match=r"was not written by an export.*Move it away"):
        exported(output, probes, folder=foreign, force=force)
    assert (foreign / "thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_a_file_instead_of_the_folder_is_refused(output, probes, tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")

    with pytest.raises(ConfigError, match="was not written by an export"):
        exported(output, probes, folder=tmp_path / "file", force=True)


def test_another_runs_export_is_replaced_only_by_force(output, base, probes, tmp_path):
    make_run(output, base, number=1, seed=3, strength=0.3)
    exported(output, probes, run="v0", folder=tmp_path / "merged")

    with pytest.raises(ConfigError, match="is not this run's export"):
        exported(output, probes, run="v1", folder=tmp_path / "merged")
    exported(output, probes, run="v1", folder=tmp_path / "merged", force=True)

    digest = json.loads((tmp_path / "merged" / "export.json").read_text(encoding="utf-8"))["adapter_sha256"]
    assert digest == find_run("v1", output).record.adapter.sha256


def test_a_base_stored_in_bfloat16_stays_so(micro_model, probes, tmp_path):
    from safetensors import safe_open

    base = make_lively(tmp_path / "half", micro_model, dtype="bfloat16")
    make_run(tmp_path / "output", base, seed=2, strength=0.3)

    found = exported(tmp_path / "output", probes)

    with safe_open(found.folder / "model.safetensors", "pt") as weights:
        assert {str(weights.get_tensor(name).dtype) for name in weights.keys()} == {"torch.bfloat16"}  # noqa: SIM118
    assert json.loads((found.folder / "config.json").read_text(encoding="utf-8"))["dtype"] == "bfloat16"
    assert found.parity["tolerance"] == 1.0
    assert found.parity["largest_logit_difference"] > 0
    size = (found.folder / "model.safetensors").stat().st_size
    assert size == pytest.approx((base / "model.safetensors").stat().st_size, rel=0.05)


def damaged(folder, adapters, load=LanguageModel.load, **how):
    """The real loader, but merged weights come back changed."""
    import torch

    model = load(folder, adapters, **how)
    if not adapters:
        torch.manual_seed(0)
        for weights in model.model.parameters():
            weights.data += 0.1 * torch.randn_like(weights)
    return model


def test_a_merge_that_answers_differently_is_rejected(output, probes, monkeypatch, capsys):
    monkeypatch.setattr(LanguageModel, "load", damaged)

    code = run_toolkit("export", "--output", output, "--probes", probes)

    streams = capsys.readouterr()
    run = find_run(None, output).folder
    assert code == 7
    assert streams.out == ""
    assert "answers differently" in streams.err
    assert f"Its files are in {run / 'merged.rejected'}" in streams.err
    assert files(run) == {"checkpoint-1", "merged.rejected", "run.json"}
    manifest = json.loads((run / "merged.rejected" / "export.json").read_text(encoding="utf-8"))
    assert manifest["parity"]["holds"] is False


def test_a_rejected_merge_neither_replaces_the_good_one_nor_blocks_the_next(output, probes):
    good = exported(output, probes).folder
    for _ in range(2):
        with pytest.raises(ExportError, match="answers differently"):
            export(ExportConfig(output=output, probes=probes, force=True), backends=Backends(load=damaged))

    assert (good / "model.safetensors").is_file()
    assert files(good.parent) == {"checkpoint-1", "merged", "merged.rejected", "run.json"}


def test_a_disk_that_is_too_small_is_an_error_before_anything_is_written(output, probes, tmp_path, capsys):
    with disk(tmp_path / "small", "size=8m") as small:
        code = run_toolkit("export", "--output", output, "--probes", probes, "--folder", small / "merged")

        assert code == 7
        assert "MB free, the merged model needs" in capsys.readouterr().err
        assert files(small) == set()


def test_a_disk_that_fills_up_leaves_nothing_half(output, probes, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(target, "DISK_MARGIN_BYTES", -(10**9))
    with disk(tmp_path / "small", "size=200k") as small:
        code = run_toolkit("export", "--output", output, "--probes", probes, "--folder", small / "merged")

        assert code == 7
        assert "is full. Free some space" in capsys.readouterr().err
        assert files(small) == set()


def test_a_folder_that_cannot_be_written_is_an_error(output, probes, tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")

    with pytest.raises(ExportError, match=r"failed: Not a directory.*another --folder"):
        exported(output, probes, folder=tmp_path / "file" / "merged")


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), ExportError),
        (RuntimeError("I/O error: File too large (os error 27)"), ExportError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_whatever_ends_an_export_early_leaves_nothing_half(output, probes, fault, raised):
    def load(folder, adapters):
        if not adapters:
            raise fault
        return load_model(folder, adapters)

    with pytest.raises(raised):
        export(ExportConfig(output=output, probes=probes), backends=Backends(load=load))

    assert files(find_run(None, output).folder) == {"checkpoint-1", "run.json"}


def test_leftovers_of_a_killed_export_are_removed(output, probes):
    run = find_run(None, output).folder
    for name in ("merged.partial", "merged.old"):
        (run / name).mkdir()
        (run / name / "model.safetensors").write_bytes(b"half")

    exported(output, probes)

    assert files(run) == {"checkpoint-1", "merged", "run.json"}


def test_a_run_without_an_adapter_is_an_error(output, probes, capsys):
    shutil.rmtree(find_run(None, output).folder / "checkpoint-1")

    assert run_toolkit("export", "--output", output, "--probes", probes) == 3
    assert "No adapter in" in capsys.readouterr().err


def test_large_weights_are_written_in_shards(output, base, tmp_path):
    model = LanguageModel.load(base, {"tuned": find_run(None, output).adapter})

    model.save_merged("tuned", tmp_path / "sharded", dtype="float32", max_shard_bytes=100_000)

    assert (tmp_path / "sharded" / "model.safetensors.index.json").is_file()
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 1


def test_a_second_export_at_once_is_refused_and_harms_nothing(output, probes):
    """The second starts when the first has written its weights and has not yet loaded them again."""
    refusals = []

    def load(folder, adapters):
        if not adapters and not refusals:
            with pytest.raises(ConfigError, match=r"Another process is exporting to .*merged\. Wait for it") as second:
                exported(output, probes)
            refusals.append(second)
        return load_model(folder, adapters)

    first = export(ExportConfig(output=output, probes=probes), backends=Backends(load=load))

    assert refusals
    assert first.fresh
    assert files(first.folder.parent) == {"checkpoint-1", "merged", "run.json"}
    assert ".lock" not in files(first.folder)
