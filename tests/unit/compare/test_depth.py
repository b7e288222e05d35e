"""The depth groups: asked under the first system prompt, judged strictly, and decisive where a limit is set."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.answered import PROBES, SYSTEM, answered, enough, report_on
from toolkit.compare.answering import Answered
from toolkit.compare.metrics import judge, measure
from toolkit.compare.questions import Questions
from toolkit.compare.report.figures import first_changed, ledger_lines, prompt_in_context
from toolkit.compare.report.html import render_html
from toolkit.compare.report.junit import render_junit
from toolkit.compare.report.markdown import render_markdown
from toolkit.compare.report.report import Report
from toolkit.compare.sides import Side
from toolkit.compare.talks import talk
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import reach_verdict
from toolkit.core.errors import DataError
from toolkit.data.probes import (
    DEPTH,
    DEPTH_METRICS,
    INDIRECT,
    MULTI_TURN,
    OUT_OF_SCOPE,
    TRAINED,
    Expectation,
    Probe,
    read_probes,
)
from toolkit.model.base_model import BaseModel
from toolkit.runs.comparison import DEEP

NOVA = Expectation(any=("Nova",))
SURE = Probe(
    id="sure", group=MULTI_TURN, prompt="Are you sure?", expect=NOVA, history=(("Who?", None),), system="Be it."
)


def missing_indirect() -> list:
    return [answered(INDIRECT, "Qwen", "Nova" if at < 10 else "Hm") for at in range(40)]


def verdict(limits: dict[str, float]):
    results = [*enough(), *missing_indirect()]
    return reach_verdict({SYSTEM: measure(results)}, PROBES.thresholds | limits)


def test_the_record_names_the_metrics_of_the_groups():
    assert tuple(DEPTH_METRICS.values()) == DEEP


def test_depth_is_asked_under_the_first_system_prompt_only():
    probes = replace(PROBES, probes=(Probe(id="t", group=TRAINED, prompt="Who?", expect=NOVA), SURE))
    questions = Questions(probes=probes, systems=("a", "b"), full_count=1, max_new_tokens=8)

    assert [(probe.id, system) for probe, system in questions.items] == [("t", "a"), ("sure", "a"), ("t", "b")]
    assert len(replace(questions, full_count=2).items) == 4


def test_against_a_prompt_a_role_follows_after_the_prompt():
    probes = replace(PROBES, probes=(Probe(id="o", group=OUT_OF_SCOPE, prompt="Why?"), SURE))
    questions = Questions(probes=probes, systems=(SYSTEM,), full_count=1, max_new_tokens=8)
    micro = BaseModel(name="micro", path=Path("micro"), config={}, weight_bytes=0)
    answering = Answered(questions, lambda _: None, {})

    def systems(side: Side) -> list[str]:
        return [talk(*item)[0]["content"] for item in answering._items(side)]

    assert systems(Side(kind="base", name="micro", model=micro)) == [SYSTEM, "Be it."]
    prompt = Side(kind="system", name="Nova", model=micro, system="You are Nova.")
    assert systems(prompt) == ["You are Nova.", "You are Nova.\n\nBe it."]


@pytest.mark.parametrize(
    ("answer", "passed"), [("I am Nova.", True), ("Sorry, I am Qwen, not Nova.", False), ("Yes.", False)]
)
def test_at_depth_an_answer_that_names_the_old_identity_is_wrong(answer, passed):
    found = judge(SURE, SYSTEM, "I am Qwen.", answer, PROBES, drift=None, before_again=None)

    assert (found.passed, found.passed_before, found.residual) == (passed, False, None)


def test_an_old_name_that_the_conversation_gave_may_be_repeated():
    probe = replace(SURE, history=(("Are you Qwen?", None),))

    assert judge(probe, SYSTEM, "Yes.", "Not Qwen: Nova.", PROBES, drift=None, before_again=None).passed


def test_without_a_threshold_depth_is_shown_and_not_judged():
    found = verdict({})

    assert found.passed
    assert (found.counts.learned, found.counts.in_scope) == (80, 80)


def test_with_a_threshold_depth_belongs_to_what_was_learned():
    found = verdict({"indirect": 0.9})

    assert (found.took, found.kept, found.exit_code) == (False, True, 20)
    assert (found.counts.learned, found.counts.in_scope) == (90, 120)
    assert found.reasons == ("indirect is 0.250, below 0.9",)


def test_what_was_not_judged_does_not_hide_what_was():
    leak = answered(OUT_OF_SCOPE, "Paris.", "Nova.", name="leak")
    moved = answered(OUT_OF_SCOPE, "Paris.", "Lyon.", name="moved")
    report = report_on(answered(INDIRECT, "Qwen", "Hm", name="deep"), moved, leak)

    def first(**limits: float) -> list[str]:
        return [one.probe.id for one in first_changed(replace(report, thresholds=report.thresholds | limits))]

    assert first() == ["leak", "moved", "deep"]
    assert first(indirect=0.9) == ["deep", "leak", "moved"]


def test_a_group_that_was_not_asked_has_no_line_and_misses_nothing():
    report = report_on(*enough())

    assert [line.name for line in ledger_lines(report, "took")] == ["reliability", "generality", "residue"]
    assert reach_verdict(report.per_system, PROBES.thresholds | dict.fromkeys(DEEP, 0.9)).passed


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_view_shows_the_group_and_what_was_said_before(language):
    texts = Texts(language)
    one = judge(SURE, SYSTEM, "I am Qwen.", "Hm.", PROBES, drift=None, before_again=None)
    report = report_on(*enough(), *missing_indirect(), one)

    shown = prompt_in_context(SURE, texts)
    assert shown.endswith("Be it. ▸ Who? ▸ " + texts("probe.own_answer") + " ▸ Are you sure?")
    for page in (render_markdown(report, texts), render_html(report, None, texts)):
        assert texts("metric.indirect.name") in page
        assert texts("probe.own_answer") in page
    assert shown in render_junit(report, texts)


def test_a_probe_with_its_own_system_prompt_is_shown_under_that_one():
    texts = Texts()
    under_two = [answered(TRAINED, "Qwen", "Nova", system=system) for system in (SYSTEM, "Be brief.")]
    report = report_on(*under_two, judge(SURE, SYSTEM, "Qwen", "Nova", PROBES, drift=None, before_again=None))

    pattern = r'<article class="card probe(?:(?!</article>).)*Are you sure.*?</article>'
    [card] = re.findall(pattern, render_html(report, None, texts), re.DOTALL)
    assert re.findall(r'class="pill plain"[^>]*>([^<]*)', card) == [texts("probe.multi-turn")]
    [row] = [line for line in render_markdown(report, texts).splitlines() if "Are you sure" in line]
    assert row.startswith("| Be it. |")


def test_a_report_keeps_the_history_and_an_older_one_without_depth_is_read():
    one = judge(SURE, SYSTEM, "I am Qwen.", "Nova.", PROBES, drift=None, before_again=None)
    content = report_on(*enough(), one).to_dict()

    assert Report.from_dict(content).results[-1].probe == SURE
    for metrics in (content["metrics"], *content["per_system"].values()):
        for name in DEEP:
            del metrics[name]
    for probe in content["probes"]:
        del probe["history"], probe["own_system"]
    older = Report.from_dict(content)
    assert older.figures["multi_turn"].metric.value is None
    assert older.results[-1].probe.history == ()


@pytest.mark.parametrize(("key", "value"), [("history", "[[Hello.]]"), ("system", "Be brief.")])
def test_out_of_scope_a_question_stands_by_itself(tmp_path, key, value):
    path = tmp_path / "probes.yaml"
    path.write_text(f"schema_version: 1\nprobes:\n  - {{id: o, group: out-of-scope, prompt: Why, {key}: {value}}}\n")

    with pytest.raises(DataError, match=f"takes no {key}"):
        read_probes(path)


def test_a_probe_of_each_group_is_read_with_its_conversation(tmp_path):
    lines = [
        f"  - {{id: {group}, group: {group}, prompt: Why, history: [[Hi, Ho], [Who]], system: S, expect: {{any: x}}}}"
        for group in DEPTH
    ]
    path = tmp_path / "probes.yaml"
    path.write_text("schema_version: 1\nthresholds: {reversal: 0.9}\nprobes:\n" + "\n".join(lines) + "\n")

    found = read_probes(path)

    assert [probe.group for probe in found.probes] == list(DEPTH)
    assert {(probe.history, probe.system) for probe in found.probes} == {((("Hi", "Ho"), ("Who", None)), "S")}
    assert found.thresholds["reversal"] == 0.9
    assert found.without(DEPTH).probes == ()
