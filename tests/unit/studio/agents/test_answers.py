"""What an agent reads of a report: the outcome, the reasons, and the few answers that matter."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.fakes.paired import two_runs
from toolkit.compare.report.figures import first_changed, outcome
from toolkit.compare.report.report import Report, read_report
from toolkit.runs.run import read_run
from toolkit.studio.agents.answers import LONGEST, checked, short, verdict_of, without_empty

RUN = "v0-20260101-000000"


@pytest.fixture(name="report")
def _report(tmp_path: Path) -> Report:
    return read_report(read_run(two_runs(tmp_path) / RUN))


def test_a_verdict_has_the_outcome_the_reasons_and_what_to_do(report: Report):
    verdict = verdict_of(RUN, report, 5)

    assert (verdict.outcome, verdict.exit_code) == (report.verdict.outcome, report.verdict.exit_code)
    assert verdict.reasons == list(report.verdict.reasons)
    assert verdict.advice
    assert verdict.report == f"toolkit://runs/{RUN}/report"


def test_its_figures_are_those_that_every_view_shows(report: Report):
    figures = {one.metric: one for one in verdict_of(RUN, report, 5).figures}

    assert float(figures["leakage"].value) == pytest.approx(report.figures["leakage"].metric.value, abs=1e-3)
    assert not figures["leakage"].met


@pytest.mark.parametrize("most", [0, 1, 50])
def test_the_worst_answers_come_first_and_the_others_are_counted(report: Report, most: int):
    changed = [outcome(one) for one in first_changed(report)]
    verdict = verdict_of(RUN, report, most)

    assert len(changed) > 1
    assert [one.mark for one in verdict.answers if one.mark != "passed"] == changed[:most]
    assert verdict.left_out == max(0, len(changed) - most)


def test_a_verdict_fits_a_context_window(report: Report):
    assert len(json.dumps(without_empty(asdict(verdict_of(RUN, report, 5))))) < 4000


def test_long_texts_are_cut_and_stay_on_a_line():
    assert short("a\n" * LONGEST) == f"{'a' + chr(92) + 'n'}" * 99 + "a\\…"
    assert len(short("x" * 1000)) == LONGEST


def test_a_sound_file_leads_to_training_and_another_to_its_rows():
    note = {"level": "note", "message": "fine", "row": None, "remedy": ""}
    error = {"level": "error", "message": "empty", "row": 3, "remedy": "Write it."}

    assert 'finetune(data="x.json")' in checked("x.json", {"findings": [note]}, []).next
    assert "Correct the rows" in checked("x.json", {"findings": [note, error]}, []).next


def test_only_what_is_empty_is_left_out():
    assert without_empty({"a": None, "b": "", "c": [], "d": 0, "e": False, "f": [{"g": None}]}) == {
        "d": 0, "e": False, "f": [{}]
    }  # fmt: skip
