"""The studio's list and page of runs show a run's own verdict, and what to do where there is none."""

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.paired import compared_run, learned
from toolkit.studio.desk import Desk
from toolkit.studio.pages.page import Reader
from toolkit.studio.pages.run_pages import run_page, runs_page
from toolkit.studio.workspace import Workspace

READER = Reader(lang="en", form_token="x")
OPTIONS = {"systems": [], "max_new_tokens": 8, "outside": None, "probes_more": None, "depth": False}


@pytest.fixture(name="desk")
def _desk(tmp_path: Path) -> Desk:
    desk = Desk.of(Workspace(folder=tmp_path, output=Path("output")), "tiny-qwen2")
    desk.checks.close()  # no process of its own
    return desk


def both_pages(desk: Desk, **changes: Any) -> list[str]:
    run = compared_run(desk.workspace.results, 0, learned(forgets=True), **changes)
    (run.folder / "compare" / "report.html").write_text("<p>A report.</p>", encoding="utf-8")
    return [runs_page(desk, READER, "", ""), run_page(desk, READER, run.run_id)]


def test_a_runs_own_verdict_has_no_mark(desk: Desk):
    listed, page = both_pages(desk)

    assert "<iframe" in page
    for text in (listed, page):
        assert "not learned, others moved</span>" in text
        assert "stale: not compared" not in text
        assert "own limits" not in text


def test_a_stale_report_is_not_shown_and_the_way_on_is(desk: Desk):
    later = {"path": "checkpoint-2", "sha256": "b" * 64, "bytes": 1}

    listed, page = both_pages(desk, adapter=later)

    assert "toolkit compare v0-20260101-000000" in listed
    assert "<iframe" not in page
    for text in (listed, page):
        assert "stale: not compared as it is now" in text
        assert "others moved</span>" not in text


def test_a_verdict_by_own_limits_is_marked(desk: Desk):
    report = {"options": OPTIONS | {"thresholds": {"kl": 3.0}}}

    assert all("own limits</span>" in text for text in both_pages(desk, report=report))


def test_an_interrupted_run_has_the_command_that_goes_on(desk: Desk):
    listed, page = both_pages(desk, status="interrupted", command="toolkit finetune mine.json")

    assert "toolkit finetune mine.json" in listed
    assert "interrupted</span>" in page
