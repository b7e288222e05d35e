"""The verdict: four outcomes, their exit codes, and a reason for each threshold that was missed."""

import pytest

from toolkit.compare.metrics import Metric
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import reach_verdict
from toolkit.data.probes import DEFAULT_THRESHOLDS

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
        "passed": took and kept, "took": took, "kept": kept, "reasons": list(verdict.reasons),
    }  # fmt: skip


def test_each_outcome_has_a_sentence_of_its_own():
    shortfalls = ({}, {"reliability": 0.0}, {"kl": 1.0}, {"reliability": 0.0, "kl": 1.0})

    assert (
        len({reach_verdict({"": metrics(**values)}, DEFAULT_THRESHOLDS).sentence(Texts()) for values in shortfalls})
        == 4
    )


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
