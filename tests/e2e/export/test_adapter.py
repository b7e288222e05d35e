"""The portable adapter for real: plain peft loads it, its card has the figures, and no file names this machine."""

import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.fakes.made_run import make_run, probes_of
from tests.fakes.shared_run import add_learned
from toolkit.__main__ import main
from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.report import write_report
from toolkit.compare.sides import run_side
from toolkit.core.errors import ExportError
from toolkit.export.export import export
from toolkit.export.formats.base import ExportConfig
from toolkit.export.plain_peft import plain_peft_answers
from toolkit.export.portable import portable_config
from toolkit.model.conversation import conversation
from toolkit.model.language_model import LanguageModel
from toolkit.runs.run import find_run, write_record

PROMPTS = ["你是谁？", "Who are you?", "Good morning!"]
FILES = {"adapter_model.safetensors", "adapter_config.json", "README.md", "run.json", "export.json"}
REPORTS = {"report.json", "report.md"}


@pytest.fixture(name="output")
def _output(lively_model, tmp_path):
    make_run(tmp_path / "output", lively_model, seed=2, strength=0.3)
    return tmp_path / "output"


@pytest.fixture(name="probes")
def _probes(tmp_path):
    (tmp_path / "probes.yaml").write_text(probes_of(PROMPTS), encoding="utf-8")
    return tmp_path / "probes.yaml"


def exported(output: Path, probes: Path, **config: object):
    return export(ExportConfig(to="adapter", output=output, probes=probes, **config))


def compared(output: Path, probes: Path) -> None:
    """Random weights move everything; thresholds that anything meets make it pass."""
    limits = {"kl": 1e9, "agreement": 0.0}
    add_learned(output, probes)
    report, side = compare(CompareConfig(output=output, probes=probes, thresholds=limits, systems=("Be brief.",)))
    write_report(report, side, None)
    assert report.verdict.passed


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_plain_peft_loads_it_and_answers_as_the_run_does(output, probes, lively_model, capsys):
    with pytest.raises(SystemExit) as left:
        main(["export", "--to", "adapter", "--output", str(output), "--probes", str(probes)])

    streams = capsys.readouterr()
    run = find_run(None, output)
    folder = run.folder / "adapter"
    assert left.value.code == 0
    assert streams.out == f"{folder}\n"
    assert "parity: 3 of 3 answers the same" in streams.err
    assert files(folder) == FILES
    asked = [conversation(prompt, "You are a helpful assistant.") for prompt in PROMPTS]
    by_peft = plain_peft_answers(lively_model, folder, asked, max_new_tokens=24, listener=lambda _: None, task="test")
    with_run = LanguageModel.load(lively_model, {"run": run.adapter})
    with with_run.side("run"):
        expected = with_run.answers(asked, max_new_tokens=24)
    assert [one.tokens for one in by_peft] == [one.tokens for one in expected]
    with with_run.side(None):
        assert [one.tokens for one in with_run.answers(asked, max_new_tokens=24)] != [one.tokens for one in expected]


def test_nothing_of_it_names_this_machine(output, probes, lively_model, tmp_path):
    compared(output, probes)
    run = find_run(None, output)
    record = run.record.with_fields(command=f"toolkit finetune {tmp_path}/secret/data.json --output {output}")
    write_record(run.folder, record)

    folder = exported(output, probes).folder

    assert files(folder) == FILES | REPORTS
    for path in folder.iterdir():
        content = path.read_bytes()
        for private in (tmp_path, lively_model, Path.home(), Path.cwd()):
            assert str(private).encode() not in content, path.name
    assert json.loads((folder / "run.json").read_text())["command"] == "toolkit finetune data.json --output output"


def test_a_base_with_a_hub_id_is_named_by_it_and_its_revision(output, probes, lively_model):
    side = run_side(find_run(None, output))
    on_hub = replace(side, model=replace(side.model, repository="Qwen/Qwen2.5-7B-Instruct", revision="a" * 40))

    config = portable_config(on_hub)
    assert (config["base_model_name_or_path"], config["revision"]) == ("Qwen/Qwen2.5-7B-Instruct", "a" * 40)
    config = portable_config(side)
    assert (config["base_model_name_or_path"], config["revision"]) == (lively_model.name, None)


def test_the_base_models_licence_comes_along(lively_model, probes, tmp_path):
    base = tmp_path / "licensed"
    shutil.copytree(lively_model, base)
    (base / "LICENSE").write_text("Do as you please.\n", encoding="utf-8")
    make_run(tmp_path / "output", base, seed=2, strength=0.3)

    folder = exported(tmp_path / "output", probes).folder

    assert (folder / "LICENSE").read_text(encoding="utf-8") == "Do as you please.\n"
    assert "`LICENSE`" not in (folder / "README.md").read_text(encoding="utf-8")  # no lock names the licence


def test_the_card_follows_a_comparison_without_a_new_export(output, probes, capsys):
    folder = exported(output, probes).folder
    weights = (folder / "adapter_model.safetensors").stat().st_mtime_ns
    assert "Not compared: it has no report" in (folder / "README.md").read_text(encoding="utf-8")
    compared(output, probes)

    again = exported(output, probes)

    assert not again.fresh
    assert (folder / "adapter_model.safetensors").stat().st_mtime_ns == weights
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "Inconclusive: 1 of 1 learned, asked only word for word; 3 of 3 unrelated answers changed" in card
    assert files(folder) == FILES | REPORTS
    shutil.rmtree(find_run(None, output).folder / "compare")
    exported(output, probes)
    assert files(folder) == FILES


def test_the_same_run_gives_the_same_bytes(output, probes, tmp_path):
    compared(output, probes)
    first = exported(output, probes).folder
    second = exported(output, probes, folder=tmp_path / "again").folder

    for name in (FILES | REPORTS) - {"export.json"}:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_the_front_matter_is_yaml(output, probes):
    text = (exported(output, probes).folder / "README.md").read_text(encoding="utf-8")

    assert yaml.safe_load(text.split("---\n")[1])["library_name"] == "peft"


def test_weights_that_answer_differently_are_rejected(output, probes, monkeypatch, capsys):
    from toolkit.export.formats import adapter

    def other_weights(base, folder, prompts, **options):
        config = json.loads((folder / "adapter_config.json").read_text())
        (folder / "adapter_config.json").write_text(json.dumps(config | {"lora_alpha": 64}))
        return plain_peft_answers(base, folder, prompts, **options)

    monkeypatch.setattr(adapter, "plain_peft_answers", other_weights)
    with pytest.raises(SystemExit) as left:
        main(["export", "--to", "adapter", "--output", str(output), "--probes", str(probes)])

    run = find_run(None, output).folder
    assert left.value.code == 7
    assert "The portable adapter answers differently" in capsys.readouterr().err
    assert files(run) == {"checkpoint-1", "adapter.rejected", "run.json"}
    assert json.loads((run / "adapter.rejected" / "export.json").read_text())["parity"]["holds"] is False


def test_a_damaged_export_is_not_taken_for_complete(output, probes):
    folder = exported(output, probes).folder
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])

    with pytest.raises(ExportError, match=r"damaged.*--force"):
        exported(output, probes)
    assert exported(output, probes, force=True).fresh


def test_an_adapter_that_peft_does_not_load_is_an_error(output, probes, monkeypatch):
    from toolkit.core.errors import ModelError
    from toolkit.export.formats import adapter

    monkeypatch.setattr(adapter, "portable_config", lambda _: {"peft_type": "NONE_SUCH"})

    with pytest.raises(ModelError, match="peft does not load"):
        exported(output, probes)
    assert files(find_run(None, output).folder) == {"checkpoint-1", "run.json"}


def test_it_is_a_side_of_a_comparison(output, probes, lively_model, tmp_path):
    folder = exported(output, probes).folder

    report, _ = compare(
        CompareConfig(
            before=find_run(None, output).run_id, after=str(folder), model=str(lively_model), probes=probes,
            output=output, systems=("Be brief.",),
        )
    )  # fmt: skip

    assert [one.before for one in report.results] == [one.after for one in report.results]
    assert any(one.after for one in report.results)


def test_a_second_export_on_a_full_disk_leaves_the_first_as_it_was(output, probes, monkeypatch):
    folder = exported(output, probes).folder
    compared(output, probes)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("toolkit.core.file_set.write_text", full)
    with pytest.raises(ExportError, match=r"is full\. Free some space"):
        exported(output, probes)

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not list(folder.parent.glob(".*.partial"))
