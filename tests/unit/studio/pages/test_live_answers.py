"""A comparison's answers while they come in: what differs first, and how many there are of each side."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.paired import two_runs
from toolkit.core.events import Progress, writing_to
from toolkit.core.files import lock_folder
from toolkit.studio.desk import Desk
from toolkit.studio.jobs import EVENTS, RECORD, RUNNING, Job, JobRecord, _write
from toolkit.studio.pages.job_pages import job_page
from toolkit.studio.pages.live_answers import SHOWN_ANSWERS, answers_so_far
from toolkit.studio.pages.page import Reader
from toolkit.studio.pages.run_pages import run_page
from toolkit.studio.workspace import Workspace

RUN, OTHER_RUN = "v0-20260101-000000", "v1-20260101-000001"


@pytest.fixture(name="job")
def _job(tmp_path: Path):
    """A training that compares now, as another process would show it."""
    desk = Desk.of(Workspace(folder=tmp_path, output=Path("output")), "tiny-qwen2")
    folder = desk.jobs.folder / "1"
    folder.mkdir()
    record = JobRecord(action="train", subject="x.json", arguments=("finetune", "x.json"), started_at="2026-01-01")
    _write(folder, record)
    assert (folder / RECORD).is_file()
    with lock_folder(folder):
        yield desk, Job(folder=folder, record=record, state=RUNNING)


def say(
    job: Job, side: str, *answers: str, group: str = "trained", marks: tuple[str, ...] = (), first: int = 0
) -> None:
    items = [
        {"number": at, "group": group, "prompt": f"Q{at}?", "answer": text} for at, text in enumerate(answers, first)
    ]
    for item, mark in zip(items, marks, strict=False):
        item["mark"] = mark
    writing_to(job.folder / EVENTS)(Progress(task=side, done=len(answers), items=items))


def test_before_the_first_answer_there_is_nothing(job):
    assert answers_so_far(job[1]) is None


def test_answers_of_one_side_are_counted(job):
    say(job[1], "Before", "a", "b")

    found = answers_so_far(job[1])

    assert (found["before"], found["both"], found["changed"], found["shown"]) == (2, 0, 0, [])


def test_what_differs_comes_first(job):
    say(job[1], "Before", "one two", "same", "old")
    say(job[1], "After", "one three", "same")

    found = answers_so_far(job[1])

    assert (found["before"], found["both"], found["changed"]) == (3, 2, 1)
    assert [one["prompt"] for one in found["shown"]] == ["Q0?", "Q1?"]
    assert [part.text for part in found["shown"][0]["new"] if part.changed] == ["three"]


def test_a_few_are_shown_of_many(job):
    say(job[1], "Before", *map(str, range(100)))
    say(job[1], "After", *map(str, range(100)))

    assert len(answers_so_far(job[1])["shown"]) == SHOWN_ANSWERS


def test_it_is_said_how_it_goes_so_far_and_what_went_wrong_comes_first(job):
    desk, running = job
    say(running, "Before", "a", "b", "c")
    say(running, "Before", "d", "e", "f", group="out-of-scope", first=3)
    say(running, "Before", "g", group="reversal", first=6)
    say(running, "After", "x", "b", "y", marks=("passed", "failed"))
    say(running, "After", "h", group="reversal", first=6, marks=("failed",))
    say(running, "After", "z", "", "f", group="out-of-scope", first=3, marks=("moved", "leaked", "same"))

    found = answers_so_far(running)
    page = job_page(desk, Reader(lang="en", form_token="x"), 1)

    assert (found["learned"], found["inside"]) == (1, 2)  # the third waits for the report
    assert (found["moved"], found["leaked"], found["outside"]) == (2, 1, 3)
    assert [one["mark"] for one in found["shown"]] == ["leaked", "moved", "failed", "", "passed", "failed", "same"]
    assert "Learned so far: 1 of 2." in page
    assert "(no answer)" in page


@pytest.mark.parametrize(("lang", "text"), [("en", "2 questions answered by both"), ("zh", "2 个问题双方都已回答")])
def test_the_page_shows_them_escaped(job, lang: str, text: str):
    desk, running = job
    say(running, "Before", "<b>old</b>", "x")
    say(running, "After", "<b>new</b>", "x")

    page = job_page(desk, Reader(lang=lang, form_token="x"), 1)

    assert text in page
    assert "<b>new" not in page
    assert "&lt;b&gt;" in page


def test_the_page_of_the_run_that_is_compared_follows_it_too(job):
    desk, running = job
    two_runs(desk.workspace.results)
    _write(running.folder, replace(running.record, action="compare", subject=RUN))
    say(running, "Before", "old")
    say(running, "After", "new", marks=("passed",))

    followed, other = (run_page(desk, Reader(lang="en", form_token="x"), run) for run in (RUN, OTHER_RUN))

    assert "Learned so far: 1 of 1." in followed
    assert "data-quiet" not in followed
    assert "Learned so far" not in other
    assert "data-quiet" in other
