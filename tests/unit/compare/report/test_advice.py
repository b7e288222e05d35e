"""A verdict that has not passed says what to do, with its own figures."""

from dataclasses import replace

import pytest

from tests.fakes.answered import SYSTEM, answered, enough, report_on
from toolkit.compare.report.advice import advice
from toolkit.compare.report.report import Report
from toolkit.compare.texts import LANGUAGES, Texts
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED
from toolkit.model.divergence import Drift
from toolkit.runs.comparison import FurtherQuestions

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


FEW = [answered(PARAPHRASE, "I am Qwen.", "I am Nova.") for _ in range(28)]
FURTHER = FurtherQuestions(bank=0, written=20, rows=0, path="bank", sha256="0" * 64)


def test_the_number_to_ask_for_includes_what_was_asked_beyond_the_file_already():
    """Residue takes 73 and has 28; if 20 of them came from the model, an option of 45 would leave those out."""
    report = report_on(*FEW)

    assert "--probes-more 50" in advice(report, Texts())[0]
    assert "--probes-more 70" in advice(replace(report, further=FURTHER), Texts())[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_only_questions_out_of_scope_tell_the_model_writes_none_in_scope(language):
    """189 of them do without a leak, and 56 are asked already: the option names how many in all."""
    inside = [one for one in enough() if one.probe.group != OUT_OF_SCOPE]
    outside = [answered(OUT_OF_SCOPE, "Paris.", "Paris.") for _ in range(56)]

    [only] = advice(report_on(*inside, *outside), Texts(language))

    assert "--outside 190" in only
    assert "--probes-more" not in only


def test_wordings_are_not_said_to_be_learned_where_nobody_asked_the_trained_ones():
    missed = [answered(PARAPHRASE, "I am Qwen.", "Hm") for _ in range(40)]
    outside = [one for one in enough() if one.probe.group == OUT_OF_SCOPE]

    [only] = advice(report_on(*missed, *outside), Texts())

    assert only.startswith("40 of 40 questions in other words are missed, and the rows' own wordings were not asked")


def test_a_probe_file_that_the_run_made_is_named_with_its_run():
    report = report_on(*enough(), *WRONG["add rows that ask the same in other words"])
    own = replace(report, probes={"path": "output/v0-20260101-000000/probes.yaml", "sha256": "0" * 64})

    assert "those in v0-20260101-000000/probes.yaml do" in advice(own, Texts())[0]
    assert "those in probes.yaml do" in advice(report, Texts())[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_no_option_can_tell_is_not_asked_for(language):
    """Eight rows are all there are, and the bank has 20 questions left."""
    texts = Texts(language)
    results = [*enough()[40:80], *(answered(TRAINED, "I am Qwen.", "I am Nova.") for _ in range(8))]
    outside = [answered(OUT_OF_SCOPE, "Paris.", "Paris.") for _ in range(56)]
    report = report_on(*results, *outside, left={"reliability": 0, "leakage": 20})

    found = advice(report, texts)

    names = texts("advice.and").join([texts("metric.reliability.name"), texts("metric.leakage.name")])
    assert [one for one in found if names in one and "probes.yaml" in one]
    assert "--probes-more 30" in found[0]  # of residue: 25 of 73 are missing
    assert len([one for one in report.verdict.reasons if "only 0 can be asked" in one]) == 1
    assert len([one for one in report.verdict.reasons if "only 20 can be asked" in one]) == 1
    assert Report.from_dict(report.to_dict()).verdict.reasons == report.verdict.reasons


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_inconclusive_verdict_names_the_option_and_a_round_number(language):
    found = advice(report_on(answered(TRAINED, "Qwen", "Nova", system=SYSTEM)), Texts(language))

    assert len(found) == 1
    assert "--probes-more 80" in found[0]  # residue: 0 of 73 would do
