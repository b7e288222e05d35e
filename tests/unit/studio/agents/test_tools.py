"""What agents call, at a desk whose commands are scripts: names lead to what is listed, and to nothing else."""

import json
import sys
from pathlib import Path

import pytest

from tests.fakes.agent import ROWS, answer, call, said
from tests.fakes.paired import two_runs
from toolkit.studio.commands import FORMATS
from toolkit.studio.desk import Desk
from toolkit.studio.workspace import Workspace

OUTSIDE = [
    "../secret.jsonl",
    "/etc/passwd",
    "secret.jsonl",
    "output/../../secret.jsonl",
    "latest",
    "v0-20260101-000000/..",
]
FOUND = {"previews": [], "findings": [
    {"level": "note", "kind": "time", "row": None, "message": "The training takes 3 s.", "remedy": ""},
    {"level": "error", "kind": "placeholder", "row": 2, "message": "a placeholder " * 40, "remedy": "Replace it."},
]}  # fmt: skip


@pytest.fixture(name="desk")
def _desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two compared runs, of which v0 forgets; a data set; commands that print their own arguments."""
    (tmp_path / "secret.jsonl").write_text("{}", encoding="utf-8")
    home = tmp_path / "work"
    two_runs(home / "output")
    (home / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    monkeypatch.setattr("toolkit.studio.jobs.PROGRAM", ("/bin/echo",))
    monkeypatch.setattr("toolkit.studio.checks.PROGRAM", (sys.executable, "-c", f"print({json.dumps(FOUND)!r})"))
    desk = Desk.of(Workspace(folder=home, output=Path("output")), "tiny-qwen2")
    yield desk
    desk.checks.close()


def test_runs_says_what_is_here(desk: Desk):
    desk.note("v1-20260101-000001", "the good one")

    here = answer(call(desk, "runs"))

    assert here["data"][0] == "mine.jsonl"
    assert [(one["run"], one["verdict"], one["note"]) for one in here["runs"]] == [
        ("v1-20260101-000001", "inconclusive", "the good one"), ("v0-20260101-000000", "neither", ""),
    ]  # fmt: skip
    assert here["job"] is None


def test_check_says_errors_first_and_shows_the_first_rows(desk: Desk):
    checked = answer(call(desk, "check", data="mine.jsonl"))

    assert not checked["sound"]
    assert [one["level"] for one in checked["findings"]] == ["error", "note"]
    assert len(checked["findings"][0]["message"]) == 300
    assert checked["rows"][0] == "Question 0? → Answer 0."


def test_data_is_made_by_the_command_of_the_page(desk: Desk):
    work = answer(call(desk, "make_data", text="  You are Nova. "))

    assert work["state"] == "done"
    assert work["command"].endswith("toolkit teach --rows-only --model tiny-qwen2 -- 'You are Nova.'")


def test_a_training_is_the_command_with_the_settings_that_were_given(desk: Desk):
    work = answer(call(desk, "finetune", data="mine.jsonl", epochs=2.5, learning_rate=1e-4, questions="none"))

    assert desk.jobs.find(work["job"]).record.arguments == (
        "finetune", "mine.jsonl", "--compare", "--recipe", "tiny", "--epochs", "2.5", "--learning-rate", "0.0001",
        "--questions", "none", "--model", "tiny-qwen2",
    )  # fmt: skip


def test_a_stopped_run_goes_on_by_its_number(desk: Desk):
    work = answer(call(desk, "finetune", resume="v1"))

    assert desk.jobs.find(work["job"]).record.arguments[:3] == ("finetune", "--resume", "v1-20260101-000001")


@pytest.mark.parametrize("arguments", [{}, {"data": "mine.jsonl", "resume": "v0"}])
def test_a_training_has_either_data_or_a_run(desk: Desk, arguments: dict[str, str]):
    assert "Name either data or resume" in said(call(desk, "finetune", **arguments))


def test_a_verdict_that_is_there_starts_no_job(desk: Desk):
    work = answer(call(desk, "compare", run="v0"))

    assert desk.jobs.all() == []
    assert work["verdict"]["exit_code"] == 22
    assert [one["mark"] for one in work["verdict"]["answers"]][:2] == ["residue", "leaked"]


def test_asked_again_a_comparison_is_a_job(desk: Desk):
    work = answer(call(desk, "compare", run="v0", again=True))

    assert desk.jobs.find(work["job"]).record.arguments[:2] == ("compare", "v0-20260101-000000")
    assert work["verdict"]["run"] == "v0-20260101-000000"


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_can_be_exported(desk: Desk, name: str):
    work = answer(call(desk, "export", to=name, run="v1"))

    assert work["folder"].startswith(f"export v1-20260101-000001 --to {name}")


def test_an_unknown_format_is_refused_by_the_schema(desk: Desk):
    assert call(desk, "export", to="exe", run="v1").is_error
    assert desk.jobs.all() == []


def test_a_question_that_cannot_be_answered_says_why(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    failing = "import sys; print('Error: No adapter.', file=sys.stderr); sys.exit(3)"
    monkeypatch.setattr("toolkit.studio.asking.PROGRAM", (sys.executable, "-c", failing))

    asked = call(desk, "ask", question="Who are you?", run="v1")

    assert asked.is_error
    assert "No adapter" in said(asked)


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize(
    ("tool", "argument"),
    [
        ("check", "data"),
        ("finetune", "data"),
        ("finetune", "resume"),
        ("compare", "run"),
        ("ask", "run"),
        ("export", "run"),
    ],
)
def test_no_tool_reaches_outside_the_work_folder(desk: Desk, tool: str, argument: str, name: str):
    others = {"ask": {"question": "Who?"}, "export": {"to": "merged"}}.get(tool, {})

    result = call(desk, tool, **{argument: name}, **others)

    assert result.is_error
    assert "Choose one from the list" in said(result)
    assert desk.jobs.all() == []


@pytest.mark.parametrize(("text", "reason"), [("", "no text"), ("a\0b", "NUL")])
def test_a_text_that_no_command_takes_is_refused(desk: Desk, text: str, reason: str):
    assert reason in said(call(desk, "make_data", text=text))
