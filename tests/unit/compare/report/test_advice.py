"""A verdict that has not passed says what to do, with its own figures."""

import pytest

from tests.fakes.answered import SYSTEM, answered, enough, report_on
from toolkit.compare.report.advice import advice
from toolkit.compare.texts import LANGUAGES, Texts
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED
from toolkit.model.divergence import Drift

FAR = Drift(kl_sum=9.0, agreeing=0, tokens=9)
WRONG = {
    "add rows that ask the same in other words": [answered(PARAPHRASE, "Qwen", "Hm") for _ in range(40)],
    "train longer": [answered(TRAINED, "Qwen", "Hm") for _ in range(40)],
    "still name the old identity": [answered(TRAINED, "Qwen", "Qwen") for _ in range(40)],
    "into the keep set": [answered(OUT_OF_SCOPE, "Paris", "Nova") for _ in range(40)],
    "Unrelated answers drift": [answered(OUT_OF_SCOPE, "Paris", "Rome", drift=FAR) for _ in range(40)],
}


@pytest.mark.parametrize("part", WRONG)
def test_each_cause_has_its_advice(part):
    found = advice(report_on(*enough(), *WRONG[part]), Texts())

    assert [one for one in found if part in one], found


def test_a_verdict_that_passed_needs_none():
    assert advice(report_on(*enough()), Texts()) == []


def test_advice_counts_as_the_report_does():
    found = advice(report_on(*enough(), *WRONG["into the keep set"]), Texts())

    [only] = found
    assert only.startswith("40 of 240 unrelated answers name what was trained: ")


def test_a_change_that_holds_under_some_system_prompts_only_is_told_apart():
    """As many questions under the other system prompt, none of them learned there."""
    elsewhere = [answered(one.probe.group, one.before, one.before, system="", name=one.probe.id) for one in enough()]

    assert "row_systems" in advice(report_on(*enough(), *elsewhere), Texts())[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_inconclusive_verdict_names_the_option_and_a_round_number(language):
    found = advice(report_on(answered(TRAINED, "Qwen", "Nova", system=SYSTEM)), Texts(language))

    assert len(found) == 1
    assert "--probes-more 80" in found[0]  # residue: 0 of 73 would do
