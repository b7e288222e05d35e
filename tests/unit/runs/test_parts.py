"""A run's parts: each is checked by its sha256, and the one that is missing or changed is named."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.answered import answered, report_on
from tests.fakes.run_record import run_record
from toolkit.core.errors import ConfigError
from toolkit.core.files import file_sha256, write_json
from toolkit.data.probes import TRAINED
from toolkit.runs.comparison import with_digest
from toolkit.runs.parts import require_parts
from toolkit.runs.run import Run, read_run, write_record

ROWS = '{"messages": []}\n'
FILES = ("train.jsonl", "eval.jsonl", "development.jsonl", "questions.jsonl", "keep.jsonl")
WEIGHTS, CONFIG = "checkpoint-2/adapter_model.safetensors", "checkpoint-2/adapter_config.json"


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """A finished run with every part that a run can have."""
    folder = tmp_path / "v0-20260101-000000"
    (folder / "checkpoint-2").mkdir(parents=True)
    (folder / "compare").mkdir()
    for name in (*FILES, WEIGHTS, CONFIG, "probes.yaml"):
        (folder / name).write_text(f"{name}\n", encoding="utf-8")
    (folder / "checkpoint-2" / "trainer_state.json").write_text("{}")
    (folder / "logging.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.5}\n')
    record(folder)
    compare(folder)
    return folder


def record(folder: Path, **changes: Any) -> None:
    files = {name: file_sha256(folder / name) for name in FILES}
    adapter = {
        "path": "checkpoint-2", "sha256": file_sha256(folder / WEIGHTS), "bytes": 1,
        "config_sha256": file_sha256(folder / CONFIG),
    }  # fmt: skip
    fields = {
        "run_id": folder.name,
        "data": {"path": "/gone/data.json", "sha256": "0" * 64, "rows": 1, "files": files},
        "keep": {"path": "/gone/keep.jsonl", "sha256": files["keep.jsonl"], "prompts": 1},
        "train": {"steps": 2, "loss": [2.0, 1.5]},
        "adapter": adapter,
    }
    write_record(folder, run_record(**fields | changes))


def compare(folder: Path, **changes: Any) -> None:
    content = report_on(answered(TRAINED, "Qwen", "Nova")).to_dict()
    content["after"] = content["after"] | {"adapter_sha256": file_sha256(folder / WEIGHTS)}
    content["probe_file"] = {"path": "/gone/probes.yaml", "sha256": file_sha256(folder / "probes.yaml")}
    write_json(folder / "compare" / "report.json", with_digest(content | changes))


def run_in(folder: Path) -> Run:
    return read_run(folder)


def test_an_untouched_run_has_every_part_and_nothing_to_note(folder: Path):
    parts = require_parts(run_in(folder))

    assert (parts.adapter, parts.recorded_adapter.sha256) == (folder / "checkpoint-2", file_sha256(folder / WEIGHTS))
    assert parts.comparison is not None
    assert parts.probes == folder / "probes.yaml"
    assert parts.notes == ()


@pytest.mark.parametrize("name", [*FILES, WEIGHTS, CONFIG])
def test_a_changed_file_is_named_with_both_digests(folder: Path, name: str):
    before = file_sha256(folder / name)
    (folder / name).write_text("changed\n")

    with pytest.raises(ConfigError) as caught:
        require_parts(run_in(folder))

    assert f"{folder / name} has changed" in str(caught.value)
    assert before[:12] in str(caught.value)
    assert file_sha256(folder / name)[:12] in str(caught.value)
    assert caught.value.next == "Restore it from a copy of the run."


@pytest.mark.parametrize("name", [*FILES, WEIGHTS, CONFIG, "logging.jsonl"])
def test_a_missing_file_is_named(folder: Path, name: str):
    (folder / name).unlink()

    with pytest.raises(ConfigError, match=f"{name} is missing: without it"):
        require_parts(run_in(folder))


@pytest.mark.parametrize(
    ("log", "step"),
    [
        ('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.6}\n', 2),
        ('{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 1.5}\n', 1),
        ('{"step": 1, "loss": 2.0}\n', 2),
        ('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.5}\n{"step": 3, "loss": 1.0}\n', 3),
        ("", 1),
    ],
)
def test_a_log_that_contradicts_the_record_is_refused(folder: Path, log: str, step: int):
    (folder / "logging.jsonl").write_text(log)

    with pytest.raises(ConfigError, match=f"has another loss for step {step} than run.json"):
        require_parts(run_in(folder))


def test_a_changed_report_is_refused(folder: Path):
    report = folder / "compare" / "report.json"
    report.write_text(report.read_text(encoding="utf-8").replace("Nova", "Nora"), encoding="utf-8")

    with pytest.raises(ConfigError, match=r"report\.json cannot be used: it has changed since it was written"):
        require_parts(run_in(folder))


@pytest.mark.parametrize(("change", "state"), [("changed", "has changed"), (None, "is missing")])
def test_probes_that_the_report_was_not_made_with_are_refused(folder: Path, change: str | None, state: str):
    if change is None:
        (folder / "probes.yaml").unlink()
    else:
        (folder / "probes.yaml").write_text(change)

    with pytest.raises(ConfigError, match=f"probes.yaml {state}: the report was made with probes"):
        require_parts(run_in(folder))


def test_probes_are_found_by_their_digest_wherever_they_are(folder: Path, tmp_path: Path):
    elsewhere = tmp_path / "mine.yaml"
    shutil.copy(folder / "probes.yaml", elsewhere)
    compare(folder, probe_file={"path": str(elsewhere), "sha256": file_sha256(elsewhere)})
    (folder / "probes.yaml").unlink()

    assert require_parts(run_in(folder)).probes == elsewhere


def test_a_run_without_a_report_needs_no_probes(folder: Path):
    shutil.rmtree(folder / "compare")
    (folder / "probes.yaml").unlink()

    parts = require_parts(run_in(folder))

    assert (parts.comparison, parts.probes) == (None, None)
    assert parts.notes == ("The run was not compared: only its training is repeated.",)


def test_a_report_about_another_adapter_is_left_out_and_noted(folder: Path):
    compare(folder, after=report_on(answered(TRAINED, "Qwen", "Nova")).to_dict()["after"])

    parts = require_parts(run_in(folder))

    assert (parts.comparison, parts.probes) == (None, None)
    assert "about another adapter" in parts.notes[0]


def test_what_an_older_toolkit_did_not_record_is_noted(folder: Path):
    record(folder, data={"path": "/gone/data.json", "sha256": "0" * 64, "rows": 1})

    parts = require_parts(run_in(folder))

    assert [note.partition(":")[0] for note in parts.notes] == [
        "run.json has no sha256 of train.jsonl", "The run's folder has no keep.jsonl",
    ]  # fmt: skip


@pytest.mark.parametrize("status", ["failed", "interrupted", "running"])
def test_a_run_that_is_not_finished_is_refused(folder: Path, status: str):
    record(folder, status=status)

    with pytest.raises(ConfigError, match=r"only a finished run can be repeated\. Finish it with"):
        require_parts(run_in(folder))


@pytest.mark.parametrize("path", ["../other", "checkpoint-2/..", "compare"])
def test_an_adapter_outside_the_runs_checkpoints_is_refused(folder: Path, path: str):
    record(folder, adapter={"path": path, "sha256": "a", "bytes": 1})

    with pytest.raises(ConfigError, match="does not record its adapter"):
        require_parts(run_in(folder))


def test_a_link_that_leads_out_of_the_folder_is_refused(folder: Path, tmp_path: Path):
    shutil.move(folder / "keep.jsonl", tmp_path / "keep.jsonl")
    (folder / "keep.jsonl").symlink_to(tmp_path / "keep.jsonl")

    with pytest.raises(ConfigError, match="symbolic link"):
        require_parts(run_in(folder))
