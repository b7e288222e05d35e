"""Scores on rows that were not trained, in every view of a report."""

from dataclasses import replace

import pytest

from tests.fakes.answered import enough, report_on
from toolkit.cli.console.report import print_report
from toolkit.compare.report.html import render_html
from toolkit.compare.report.markdown import render_markdown
from toolkit.compare.report.report import Report
from toolkit.compare.report.scores import score_rows, score_sentences
from toolkit.compare.texts import LANGUAGES, Texts
from toolkit.runs.ability_record import RecordedTest

HOSTILE = "<script>alert(1)</script>"
TEST = RecordedTest.from_dict({
    "path": "/data/test.jsonl", "sha256": "a" * 64, "system": "S", "total": 300, "trained": 3, "answered": 200,
    "answer_tokens": 256, "seconds": 1.0,
    "scores": [
        {"name": "exact", "before": 0.1, "after": 0.45, "low": 0.25, "high": 0.45},
        {"name": "rouge_l", "before": 0.2, "after": 0.6, "low": None, "high": None},
        {"name": "loss", "before": 2.0, "after": 1.5, "low": -0.6, "high": -0.4},
    ],
    "answers": [{"row": 1, "prompt": HOSTILE, "expected": "A", "before": "B", "after": "A"}],
})  # fmt: skip


@pytest.fixture(name="report")
def _report() -> Report:
    return replace(report_on(*enough()), test=TEST)


def test_each_score_has_its_change_and_interval():
    rows = score_rows(TEST, Texts())

    assert rows == [
        ["exact", "0.100", "0.450", "+0.350", "+0.250 – +0.450"],
        ["ROUGE-L", "0.200", "0.600", "+0.400", ""],
        ["loss", "2.000", "1.500", "-0.500", "-0.600 – -0.400"],
    ]


def test_it_says_how_many_rows_were_asked_and_left_out():
    sentences = score_sentences(TEST, Texts())

    assert sentences[:2] == [
        "200 of 300 rows of /data/test.jsonl were answered by both sides.",
        "3 rows of it were left out: their questions are among the trained ones.",
    ]
    assert len(score_sentences(TEST.with_fields(trained=0), Texts())) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_view_shows_them(report, language, capsys):
    texts = Texts(language)
    print_report(report, texts)

    for view in (capsys.readouterr().out, render_markdown(report, texts), render_html(report, None, texts)):
        assert texts("test.score.exact") in view
        assert "0.450" in view
        assert HOSTILE not in view


def test_a_report_without_them_shows_nothing(capsys):
    report = report_on(*enough())
    print_report(report, Texts())

    for view in (capsys.readouterr().out, render_markdown(report, Texts()), render_html(report, None, Texts())):
        assert "ROUGE" not in view


def test_report_json_gives_them_back(report):
    assert Report.from_dict(report.to_dict() | PARTS).test == TEST


PARTS = {"before": {"kind": "base", "name": "m", "model": {"name": "m", "path": "/m"}},
         "after": {"kind": "base", "name": "m", "model": {"name": "m", "path": "/m"}}}  # fmt: skip
