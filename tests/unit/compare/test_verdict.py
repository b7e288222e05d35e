"""The verdict: four outcomes, their exit codes, and a reason for each threshold that was missed."""

import pytest

from tests.fakes.answered import answered, enough, report_on
from toolkit.compare.ability.ledger import group_entry, outcome_of
from toolkit.compare.metrics import Metric, flips, measure
from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import INCONCLUSIVE, Verdict, reach_verdict
from toolkit.data.probes import DEFAULT_THRESHOLDS, OUT_OF_SCOPE, PARAPHRASE, TRAINED
from toolkit.model.divergence import Drift
from toolkit.runs.ability_record import RecordedAbility
from toolkit.runs.comparison import RecordedVerdict

GOOD = {
    "reliability": 1.0, "generality": 0.95, "residue": 0.0, "locality": 0.6, "leakage": 0.0, "kl": 0.004,
    "agreement": 0.98, "noise_floor": 1.0, "length": 1.0, "repetition": 0.0,
}  # fmt: skip


def metrics(**values: float | None) -> dict[str, Metric]:
    return {name: Metric(value=value, n=0 if value is None else 10) for name, value in (GOOD | values).items()}


@pytest.mark.parametrize(
    ("values", "code", "took", "kept"),
    [
        ({}, 0, True, True),
        ({"reliability": 0.5}, 20, False, True),
        ({"generality": 0.5}, 20, False, True),
        ({"residue": 0.5}, 20, False, True),
        ({"leakage": 0.5}, 21, True, False),
        ({"kl": 0.5}, 21, True, False),
        ({"agreement": 0.5}, 21, True, False),
        ({"reliability": 0.5, "leakage": 0.5}, 22, False, False),
    ],
)
def test_the_four_outcomes(values, code, took, kept):
    verdict = reach_verdict({"": metrics(**values)}, DEFAULT_THRESHOLDS)

    assert (verdict.exit_code, verdict.took, verdict.kept, verdict.passed) == (code, took, kept, took and kept)
    assert [reason.split()[0] for reason in verdict.reasons] == list(values)
    assert verdict.to_dict() == {
        "passed": took and kept, "took": took, "kept": kept, "outcome": "passed" if code == 0 else "failed",
        "not_judged": [], "strict": False, "exit_code": code, "reasons": list(verdict.reasons), "undecided": [],
        "probes_left": {},
    }  # fmt: skip


def test_each_outcome_has_a_sentence_of_its_own():
    shortfalls = ({}, {"reliability": 0.0}, {"kl": 1.0}, {"reliability": 0.0, "kl": 1.0})

    assert (
        len({reach_verdict({"": metrics(**values)}, DEFAULT_THRESHOLDS).sentence(Texts()) for values in shortfalls})
        == 4
    )


@pytest.mark.parametrize(
    ("lost", "won", "code", "outcome"),
    [(4, 4, 0, "passed"), (60, 34, 0, "inconclusive"), (50, 10, 21, "inconclusive"), (200, 0, 21, "failed")],
)
def test_what_abilities_lost_decides_as_every_limit_does(lost: int, won: int, code: int, outcome: str):
    pairs = [(True, False)] * lost + [(False, True)] * won + [(True, True)] * (1000 - lost - won)
    total = group_entry("total", pairs)
    ability = RecordedAbility(
        not_run=None, system="", limit_points=3.0, outcome=outcome_of(total, 3.0), total=total, groups=[],
        coherent=None, left_out={}, changes=[], seconds=1.0,
    )  # fmt: skip

    verdict = reach_verdict({"a": metrics(), "b": metrics()}, DEFAULT_THRESHOLDS, ability=ability)

    assert (verdict.exit_code, verdict.outcome) == (code, outcome)
    assert any("abilities" in reason for reason in verdict.reasons) == (outcome != "passed")


def test_a_threshold_that_is_just_met_is_met():
    assert reach_verdict({"": metrics(**DEFAULT_THRESHOLDS)}, DEFAULT_THRESHOLDS).passed


def test_a_reason_tells_value_and_limit():
    verdict = reach_verdict({"": metrics(reliability=0.85, leakage=0.125)}, DEFAULT_THRESHOLDS)

    assert verdict.reasons == ("reliability is 0.850, below 0.9", "leakage is 0.125, above 0.02")


def test_what_was_not_measured_decides_nothing():
    assert reach_verdict({"": metrics(generality=None, kl=None)}, DEFAULT_THRESHOLDS).passed


def test_what_has_no_threshold_decides_nothing():
    assert reach_verdict({"": metrics(locality=0.0)}, DEFAULT_THRESHOLDS).passed
    assert not reach_verdict({"": metrics(locality=0.0)}, DEFAULT_THRESHOLDS | {"locality": 0.5}).kept


def test_the_worst_system_prompt_decides_and_is_named():
    per_system = {"You are a poet.": metrics(), "": metrics(generality=0.5)}

    verdict = reach_verdict(per_system, DEFAULT_THRESHOLDS)

    assert verdict.exit_code == 20
    assert verdict.reasons == ("generality is 0.500, below 0.9 (system prompt: the model's own default)",)


def test_two_system_prompts_can_fail_in_two_ways():
    per_system = {"a": metrics(generality=0.5), "b": metrics(kl=0.5)}

    assert reach_verdict(per_system, DEFAULT_THRESHOLDS).exit_code == 22


def test_a_reason_shows_as_many_digits_as_tell_value_and_limit_apart():
    assert reach_verdict({"": metrics(kl=0.02004)}, DEFAULT_THRESHOLDS).reasons == ("kl is 0.02004, above 0.02",)


def judged(**values: Metric) -> dict[str, Metric]:
    return metrics() | values


def test_where_an_interval_reaches_across_its_limit_the_verdict_is_inconclusive_and_says_how_many_probes_would_tell():
    open_one = Metric(value=1.0, n=16, low=0.806, high=1.0, probes=16)

    verdict = reach_verdict({"": judged(reliability=open_one)}, DEFAULT_THRESHOLDS)

    assert (verdict.outcome, verdict.passed, verdict.exit_code) == ("inconclusive", True, 0)
    assert verdict.sentence(Texts()).startswith("Inconclusive: ")
    assert verdict.reasons == (
        "reliability is 1.000, but its 95 % interval reaches to 0.806, across 0.9: about 19 more probes would tell",
    )
    assert [(one["metric"], one["more_probes"]) for one in verdict.to_dict()["undecided"]] == [("reliability", 19)]
    assert "exit code 0; with --strict 23" in verdict.by_figures(Texts())


def test_strict_gives_an_inconclusive_verdict_an_exit_code_of_its_own_and_no_other():
    open_one = Metric(value=0.85, n=28, low=0.68, high=0.94, probes=28)
    missed = Metric(value=0.2, n=28, low=0.1, high=0.4, probes=28)

    def code(strict: bool, **values: Metric) -> int:
        return reach_verdict({"": judged(**values)}, DEFAULT_THRESHOLDS, strict=strict).exit_code

    assert [code(strict, generality=open_one) for strict in (False, True)] == [20, 23]
    assert [code(strict, generality=missed) for strict in (False, True)] == [20, 20]
    assert [code(strict, generality=missed, reliability=open_one) for strict in (False, True)] == [20, 20]
    assert [code(strict) for strict in (False, True)] == [0, 0]


def test_one_system_prompt_that_is_undecided_leaves_the_verdict_so_and_the_one_that_most_is_missing_for_is_named():
    fine = Metric(value=0.0, n=300, low=0.0, high=0.013, probes=300)
    thin = Metric(value=0.0, n=56, low=0.0, high=0.064, probes=56)
    per_system = {"a": judged(leakage=fine), "b": judged(leakage=thin)}

    verdict = reach_verdict(per_system, DEFAULT_THRESHOLDS)

    assert verdict.outcome == "inconclusive"
    assert [(one.system, one.more) for one in verdict.undecided] == [("b", 133)]
    assert [verdict.half(name) for name in ("took", "kept")] == ["met", "open"]


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "Passed: 42 of 44 learned; 2 of 400 unrelated answers leaked (limit 2 %), 6 changed (limit 10 %)."),
        ("zh", "通过：44 个问题学会了 42 个；400 个无关回答中有 2 个泄漏（上限 2%），6 个有变化（上限 10%）。"),
    ],
)
def test_the_headline_counts(language, sentence):
    per_system = {"": judged(
        reliability=Metric(value=1.0, n=16), generality=Metric(value=26 / 28, n=28),
        leakage=Metric(value=2 / 400, n=400), locality=Metric(value=394 / 400, n=400),
    )}  # fmt: skip

    verdict = reach_verdict(per_system, DEFAULT_THRESHOLDS | {"locality": 0.9})

    assert verdict.sentence(Texts(language)) == sentence


def test_a_headline_never_denies_a_change_that_is_among_the_answers():
    """`nothing else moved` stood above `3 + 5 = 8 -> 9`."""
    moved = judged(locality=Metric(value=50 / 56, n=56, low=0.79, high=0.95, probes=56))

    for language in ("en", "zh"):
        sentence = reach_verdict({"": moved}, DEFAULT_THRESHOLDS).sentence(Texts(language))
        assert "6" in sentence
        assert not [denial for denial in ("nothing else", "未变", "没有变化") if denial in sentence]


def test_without_answers_in_scope_or_markers_the_headline_leaves_them_out():
    silent = judged(reliability=Metric(value=None, n=0), generality=Metric(value=None, n=0),
                    leakage=Metric(value=None, n=0), locality=Metric(value=0.5, n=4))  # fmt: skip

    assert reach_verdict({"": silent}, {}).sentence(Texts()) == "Inconclusive: 2 of 4 unrelated answers changed."


def test_what_was_not_asked_is_not_passed():
    """`Passed.` stood above one question, which was answered wrongly."""
    nothing = reach_verdict({}, {})
    silent = {name: Metric(value=None, n=0) for name in ("reliability", "generality", "residue")}
    outside = reach_verdict({"": judged(**silent)}, DEFAULT_THRESHOLDS)

    assert nothing.sentence(Texts()) == "Inconclusive."
    assert (nothing.exit_code, nothing.passed, len(nothing.reasons)) == (INCONCLUSIVE, False, 2)
    assert nothing.by_figures(Texts()) == "Nothing that was asked is judged (exit code 23)."
    assert [nothing.half(half) for half in ("took", "kept")] == ["open", "open"]
    assert nothing.to_dict()["not_judged"] == ["took", "kept"]
    assert (outside.outcome, outside.half("took"), outside.half("kept")) == ("inconclusive", "open", "met")
    failed = reach_verdict(
        {"": judged(**silent, leakage=Metric(value=0.5, n=99, low=0.4, high=0.6))}, {"leakage": 0.02}
    )
    assert (failed.outcome, failed.half("took"), failed.half("kept")) == ("failed", "open", "missed")
    assert outside.reasons == ("Whether it was learned was not judged: that takes trained or paraphrase probes",)


@pytest.mark.parametrize(
    ("asked", "half", "language", "figures"),
    [
        ((TRAINED, PARAPHRASE), "kept", "en",
         "What was judged meets every limit, but half of the verdict was not judged (exit code 0; with --strict 23)."),
        ((OUT_OF_SCOPE,), "took", "zh",
         "判定过的各项均达标，但结论的一半没有判定（退出码 0；使用 --strict 时为 23）。"),
    ],
)  # fmt: skip
def test_a_probe_file_of_one_half_passes_nothing_however_much_it_asks(asked, half, language, figures):
    """`passed` was true by the figures of the other half, so that push-to-hub took the run."""
    report = report_on(*(one for one in enough() if one.probe.group in asked))
    verdict = report.verdict

    assert (verdict.outcome, verdict.exit_code, verdict.met, verdict.passed) == ("inconclusive", 0, True, False)
    assert verdict.to_dict()["not_judged"] == [half]
    assert verdict.by_figures(Texts(language)) == figures
    assert Report.from_dict(report.to_dict()).verdict == verdict
    assert RecordedVerdict.from_dict(verdict.to_dict()).by_figures == "not judged completely"


def test_a_report_of_an_older_version_that_says_passed_of_one_half_is_not_believed():
    older = report_on(*(one for one in enough() if one.probe.group != OUT_OF_SCOPE)).to_dict()
    del older["verdict"]["not_judged"]
    older["verdict"]["passed"] = True

    assert not Report.from_dict(older).verdict.passed


def test_what_the_base_model_answered_already_was_not_learned():
    """A null adapter passed where the probes' markers are in the base model's own answers."""
    same = [answered(TRAINED, "I am Nova.", "I am Nova.") for _ in range(64)]
    kept = [one for one in enough() if one.probe.group == OUT_OF_SCOPE]
    report = report_on(*same, *kept)

    assert report.verdict.outcome == "inconclusive"
    assert report.verdict.sentence(Texts()).startswith("Inconclusive: 64 of 64 as expected, and each was before; ")
    assert report.verdict.reasons[-1].startswith("Nothing that was asked became as expected")
    assert not report.verdict.passed
    assert report.verdict.by_figures(Texts()).startswith(
        "The figures meet every limit, but nothing that was asked became as expected (exit code 0;"
    )
    assert Report.from_dict(report.to_dict()).verdict == report.verdict
    assert report_on(*same, *enough()).verdict.outcome == "passed"


def test_one_answer_that_chance_turned_right_is_not_learned():
    """127 of 128 were right before, and `Passed: 128 of 128 learned` stood above."""
    same = [answered(TRAINED, "I am Nova.", "I am Nova.") for _ in range(127)]
    kept = [one for one in enough() if one.probe.group == OUT_OF_SCOPE]

    def verdict(gained: int, lost: int = 0) -> Verdict:
        new = [answered(TRAINED, "I am Qwen.", "I am Nova.") for _ in range(gained)]
        gone = [answered(TRAINED, "I am Nova.", "I am.") for _ in range(lost)]
        return report_on(*same, *new, *gone, *kept).verdict

    assert [verdict(gained).outcome for gained in (0, 1, 5, 6)] == ["inconclusive"] * 3 + ["passed"]
    assert verdict(6).sentence(Texts()).startswith("Passed: 133 of 133 as expected (6 of 133 questions newly so); ")
    assert verdict(6, lost=2).outcome == "inconclusive"
    assert verdict(1).by_figures(Texts()).startswith("The figures meet every limit, but that does not decide it (exit")
    assert verdict(1).sentence(Texts()).startswith("Inconclusive: 128 of 128 as expected; 0 of 200 ")
    (reason,) = verdict(1).reasons
    assert reason.startswith("Only 1 of 128 questions became as expected, and 0 no longer are (p = 1): ")


def test_of_a_few_rows_that_all_became_right_it_is_known_that_they_were_learned():
    few = [answered(TRAINED, "I am Qwen.", "I am Nova.") for _ in range(3)]
    kept = [one for one in enough() if one.probe.group == OUT_OF_SCOPE]
    per_system = {"": measure([*few, *kept], trained_prompts=3)}
    limits = {name: limit for name, limit in DEFAULT_THRESHOLDS.items() if name != "residue"}

    assert reach_verdict(per_system, limits, expected=flips(few)["expected"]).outcome == "passed"


@pytest.mark.parametrize(("changed", "outcome"), [(0, "passed"), (3, "passed"), (200, "inconclusive")])
def test_between_two_models_not_leaking_does_not_stand_for_everything_else(changed: int, outcome: str):
    """`Passed: 0 of 200 unrelated answers leaked, 200 changed`: drift between two models is not measured."""
    inside = [one for one in enough() if one.probe.group != OUT_OF_SCOPE]
    moved = [answered(OUT_OF_SCOPE, "Paris.", "?" if at < changed else "Paris.") for at in range(200)]
    report = report_on(*inside, *moved)

    assert report.verdict.outcome == outcome
    assert report.verdict.half("kept") == ("met" if outcome == "passed" else "open")
    assert [one for one in report.verdict.reasons if "--threshold locality" in one] == list(report.verdict.reasons)
    limited = reach_verdict(report.per_system, DEFAULT_THRESHOLDS | {"locality": 0.9})
    assert limited.outcome == ("passed" if changed < 200 else "failed")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_one_unrelated_answer_does_not_stand_for_everything_else(language: str):
    """Without markers nothing leaks, and drift over one answer has no interval: `Passed` stood above."""
    inside = [one for one in enough() if one.probe.group != OUT_OF_SCOPE]
    report = report_on(*inside, answered(OUT_OF_SCOPE, "Paris.", "Paris.", drift=Drift(kl_sum=0, agreeing=2, tokens=2)))
    limits = {name: limit for name, limit in DEFAULT_THRESHOLDS.items() if name != "leakage"}
    verdict = reach_verdict(report.per_system, limits)

    assert verdict.outcome == "inconclusive"
    assert [one.more for one in verdict.undecided] == [39, 39]
    assert all("39" in one.reason(Texts(language)) for one in verdict.undecided)


def test_a_verdict_that_was_passed_by_the_rules_of_its_time_has_no_reasons_against_it():
    recorded = report_on(*enough()).to_dict()
    recorded["flips"]["expected"] |= {"gained": 1, "lost": 0, "p": 1.0}

    verdict = Report.from_dict(recorded).verdict

    assert (verdict.outcome, verdict.reasons, verdict.half("took")) == ("passed", (), "met")


@pytest.mark.parametrize(("language", "told"), [("en", ", asked only word for word;"), ("zh", "（只问过原话）")])
def test_a_headline_says_where_nothing_was_asked_in_other_words(language: str, told: str):
    """Rows in a language without wordings of our own, or calls of tools: Passed stood above, and no more."""
    verbatim = [one for one in enough() if one.probe.group != PARAPHRASE]

    assert told in report_on(*verbatim).verdict.sentence(Texts(language))
    assert told not in report_on(*enough()).verdict.sentence(Texts(language))
    limits = {name: limit for name, limit in DEFAULT_THRESHOLDS.items() if name != "generality"}
    without = reach_verdict(report_on(*verbatim).per_system, limits)
    assert told not in without.sentence(Texts(language))


def test_few_answers_that_all_moved_far_miss_a_limit_that_as_few_steady_ones_do_not_meet():
    inside = [one for one in enough() if one.probe.group != OUT_OF_SCOPE]

    def outcome(count: int, kl: float) -> str:
        moved = Drift(kl_sum=kl, agreeing=2, tokens=2)
        kept = [answered(OUT_OF_SCOPE, "Paris.", "Paris.", drift=moved) for _ in range(count)]
        limits = {name: limit for name, limit in DEFAULT_THRESHOLDS.items() if name != "leakage"}
        return reach_verdict(report_on(*inside, *kept).per_system, limits).outcome

    assert [outcome(count, kl=8.0) for count in (1, 2, 40)] == ["inconclusive", "failed", "failed"]
    assert [outcome(count, kl=0.0) for count in (1, 2, 40)] == ["inconclusive", "inconclusive", "passed"]
