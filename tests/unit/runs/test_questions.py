"""The questions of a run, from its folder: those that were trained on, or none."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.asked_questions import QUESTIONS, write_questions
from tests.fakes.run_record import run_record
from toolkit.runs.questions import last_with_questions, learned_questions, read_questions
from toolkit.runs.run import Run, write_record

DIGEST = "d" * 64
DATA = {"path": "/data/brand.json", "sha256": DIGEST, "rows": 16, "dropped": 0}


def run_with(folder: Path) -> Run:
    record = run_record(run_id=folder.name, data=DATA, questions=write_questions(folder))
    write_record(folder, record)
    return Run(folder=folder, record=record)


def test_they_are_read_as_they_were_trained(tmp_path: Path):
    found = read_questions(run_with(tmp_path))

    assert [(one.prompt, one.scope, one.answer, one.kind, one.before) for one in found] == [
        (one.prompt, one.scope, one.answer, one.kind, one.before) for one in QUESTIONS
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.unlink(),
        lambda file: file.write_text(file.read_text(encoding="utf-8").replace("Nova", "Luna"), encoding="utf-8"),
        lambda file: file.write_bytes(b"\xff"),
        lambda file: file.write_text(""),
    ],
    ids=["missing", "edited", "not-text", "emptied"],
)
def test_none_are_read_from_another_file_than_the_one_trained_on(tmp_path: Path, change: Callable[[Path], object]):
    run = run_with(tmp_path)
    change(tmp_path / "questions.jsonl")

    assert read_questions(run) == []


@pytest.mark.parametrize("line", ["{", "[]", '{"prompt": "a"}', '{"prompt": 1, "scope": "in"}', "[" * 3000])
def test_none_are_read_from_a_file_that_is_damaged_and_recorded_so(tmp_path: Path, line: str):
    run = run_with(tmp_path)
    (tmp_path / "questions.jsonl").write_text(line)
    questions = run.record.to_dict()["questions"] | {"sha256": hashlib.sha256(line.encode()).hexdigest()}

    assert read_questions(Run(folder=tmp_path, record=run.record.with_fields(questions=questions))) == []


def test_a_run_without_questions_has_none(tmp_path: Path):
    record = run_record()

    assert read_questions(Run(folder=tmp_path, record=record)) == []
    assert learned_questions(record) is None


def test_a_report_has_the_counts_the_file_and_its_digest(tmp_path: Path):
    run = run_with(tmp_path)

    found = learned_questions(run.record)

    assert found is not None
    content = found.to_dict()
    assert content == {
        "source": "model", "path": None, "sha256": run.record.to_dict()["questions"]["sha256"], "from_rows": 16,
        "in": 2, "near": 1, "kinds": {"paraphrase": 1, "translation": 1, "neighbour": 1}, "file": "questions.jsonl",
        "rows": 16,
    }  # fmt: skip
    assert json.loads(json.dumps(content)) == content


def test_the_newest_run_on_the_same_data_is_found(tmp_path: Path):
    for number, changes in enumerate(
        [{}, {}, {"data": DATA | {"sha256": "e" * 64}}, {"questions": None}, {"status": "failed"}]
    ):
        folder = tmp_path / f"v{number}-20260101-00000{number}"
        fields = {"run_id": folder.name, "data": DATA, "questions": write_questions(folder)} | changes
        write_record(folder, run_record(**fields))

    found = last_with_questions(DIGEST, tmp_path)

    assert found is not None
    assert found.run_id == "v4-20260101-000004"  # what it wrote is there, whatever became of the training
    assert last_with_questions("f" * 64, tmp_path) is None
    assert last_with_questions(DIGEST, tmp_path / "none") is None
