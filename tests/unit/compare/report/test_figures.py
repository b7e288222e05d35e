"""Thinking in every report: the row of the verdict, the sentence, and the thoughts themselves, folded."""

import io
import sys
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from tests.fakes.answered import answered, enough, report_on
from toolkit.cli.console.report import print_report
from toolkit.compare.ability.thinking import thinking_entry
from toolkit.compare.report.figures import ledger_lines
from toolkit.compare.report.html import render_html
from toolkit.compare.report.junit import render_junit
from toolkit.compare.report.markdown import render_markdown
from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import reach_verdict
from toolkit.core.text import Thought
from toolkit.data.probes import DEFAULT_THRESHOLDS, OUT_OF_SCOPE, PARAPHRASE, TRAINED


def report(pairs, wanted="keep", results=None) -> Report:
    made = report_on(*(enough() if results is None else results))
    thinking = thinking_entry(pairs, wanted=wanted, system="", thought_tokens=64)
    verdict = reach_verdict(made.per_system, DEFAULT_THRESHOLDS, thinking=thinking)
    return replace(made, thinking=thinking, verdict=verdict)


KEPT, LOST = [(True, True)] * 300, [(True, True)] * 200 + [(True, False)] * 100


def printed(value, language, monkeypatch) -> str:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    print_report(value, Texts(language))
    monkeypatch.undo()
    return " ".join(stream.getvalue().split())


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "300 of 300 answers had a thought before, 200 have one now (100 lost it, 0 won one)"),
     ("zh", "300 个回答中，之前 300 个带有思考，现在 200 个（失去 100 个，新增 0 个）")],
)  # fmt: skip
def test_every_report_says_how_many_answers_had_a_thought(language, sentence, monkeypatch):
    found = report(LOST)

    assert sentence in render_markdown(found, Texts(language))
    assert sentence in render_html(found, None, Texts(language))
    assert sentence.replace(" ", "") in printed(found, language, monkeypatch).replace(" ", "")


def test_the_ledger_has_a_row_for_it_with_its_limit():
    line = ledger_lines(report(LOST), "kept")[-1]

    assert (line.name, line.needs, line.decision, line.missed) == ("thinking", "≤ 2", "missed", True)
    assert ledger_lines(report(LOST), "took")[-1].name != "thinking"
    assert ledger_lines(report(KEPT, "off"), "took")[-1].name == "thought"


def test_a_model_that_does_not_think_has_no_row():
    assert "thinking" not in {line.name for line in ledger_lines(report_on(*enough()), "kept")}


def test_junit_has_a_test_for_it():
    lost, kept = (
        next(case for case in ET.fromstring(render_junit(report(pairs), Texts())).iter("testcase")
             if "thinking" in case.get("name", ""))
        for pairs in (LOST, KEPT)
    )  # fmt: skip

    assert "above 2" in lost.find("failure").get("message")
    assert "300 of 300" in kept.find("system-out").text


def test_thoughts_are_folded_beside_their_answers_and_come_back_from_json():
    thoughts = Thought(text="<b>Hm</b>", closed=True), Thought(text="On and on", closed=False)
    one = replace(answered(OUT_OF_SCOPE, "Paris.", ""), thoughts=thoughts)
    found = report(KEPT, results=[*enough(), one])

    page = render_html(found, None, Texts())
    assert "<summary>its thought</summary>" in page
    assert "&lt;b&gt;Hm&lt;/b&gt;" in page
    assert "<summary>its thought, without an end</summary>" in page
    again = Report.from_dict(found.to_dict())
    assert again.results[-1].thoughts == thoughts
    assert again.thinking == found.thinking
    assert again.verdict == found.verdict


@pytest.mark.parametrize(
    ("prompts", "within"),
    [
        (("Tell me, who are you?", "Who are you? Please answer directly."), True),
        (("Tell me, who are you?", "What is your name?"), False),
    ],
)
def test_generality_says_where_it_was_asked_only_within_phrases(prompts: tuple[str, ...], within: bool):
    trained = [answered(TRAINED, "Qwen.", "Nova.", prompt=prompt) for prompt in ("who are you?", "Who are you?")]
    others = [answered(PARAPHRASE, "Qwen.", "Nova.", prompt=prompt) for prompt in prompts]
    found = report_on(*trained, *others)

    for text in (render_markdown(found, Texts()), render_html(found, None, Texts())):
        assert ("trained questions within a phrase" in text) is within
        assert ("rephrased questions that were not trained" in text) is not within
