"""An interval decides a threshold, or it is said how many more probes would."""

import pytest

from toolkit.compare.decision import decide, more_probes
from toolkit.compare.metrics import Metric, ratio, wilson


def share(right: int, n: int) -> Metric:
    low, high = wilson(right / n, n)
    return Metric(value=right / n, n=n, low=low, high=high, probes=n)


@pytest.mark.parametrize(
    ("metric", "limit", "at_least", "decision"),
    [
        (share(16, 16), 0.9, True, "open"),  # its interval begins at 0.806: no tick
        (share(35, 35), 0.9, True, "met"),
        (share(34, 34), 0.9, True, "open"),
        (share(5, 16), 0.9, True, "missed"),
        (share(0, 56), 0.02, False, "open"),  # nothing leaked, but 6.4 % might: no lack of significance is a proof
        (share(0, 189), 0.02, False, "met"),
        (share(0, 188), 0.02, False, "open"),
        (share(6, 56), 0.02, False, "missed"),
        (share(2, 56), 0.02, False, "open"),
        (Metric(value=0.01, n=100, low=0.005, high=0.02, probes=50), 0.02, False, "met"),
        (Metric(value=0.01, n=100, low=0.005, high=0.021, probes=50), 0.02, False, "open"),
        (Metric(value=0.03, n=100), 0.02, False, "missed"),
        (share(34, 34), 1.0, True, "open"),  # a limit at the end of the scale is not easier to meet than 0.9
        (share(35, 35), 1.0, True, "met"),
        (share(0, 56), 0.0, False, "open"),
        (share(0, 189), 0.0, False, "met"),
        (share(19, 20), 1.0, True, "missed"),
    ],
)
def test_a_limit_is_met_only_by_the_complete_interval(metric, limit, at_least, decision):
    assert decide("reliability" if at_least else "leakage", metric, limit, at_least=at_least) == decision


@pytest.mark.parametrize(
    ("right", "n", "limit", "at_least"), [(16, 16, 0.9, True), (0, 56, 0.02, False), (26, 28, 0.8, True)]
)
def test_as_many_more_probes_as_are_named_decide_and_one_fewer_does_not(right, n, limit, at_least):
    """With the same share right, which need not be a whole number of answers."""
    value, more = right / n, more_probes("reliability", share(right, n), limit)

    def decided(count: int) -> bool:
        low, high = wilson(value, count)
        metric = Metric(value=value, n=count, low=low, high=high, probes=count)
        return decide("reliability", metric, limit, at_least=at_least) != "open"

    assert (decided(n + more), decided(n + more - 1)) == (True, False)


@pytest.mark.parametrize(("asked", "right", "of"), [(16, 16, 50), (16, 15, 50), (10, 9, 12), (20, 18, 40)])
def test_of_a_known_number_fewer_more_decide_and_all_of_them_always(asked, right, of):
    """With the same share right; 16 of 50 rows need 5 more, where 16 of many need 19."""
    value = right / asked

    def measured(count: int) -> Metric:
        if count == of:
            return Metric(value=value, n=count, low=value, high=value, probes=count, population=of)
        low, high = wilson(value, count * (of - 1) / (of - count))
        return Metric(value=value, n=count, low=low, high=high, probes=count, population=of)

    more = more_probes("reliability", measured(asked), 0.9)
    assert more is not None
    assert asked + more <= of
    assert decide("reliability", measured(asked + more), 0.9, at_least=True) != "open"
    assert decide("reliability", measured(asked + more - 1), 0.9, at_least=True) == "open"


def test_a_bootstrapped_interval_halves_with_four_times_the_probes():
    metric = Metric(value=0.01, n=900, low=0.0, high=0.03, probes=25)

    assert more_probes("kl", metric, 0.02) == pytest.approx(100 - 25, abs=1)  # half as wide: four times as many


@pytest.mark.parametrize("limit", [0.9, 0.99, 1.0])
def test_a_stricter_limit_is_never_met_with_fewer_answers(limit):
    """`--threshold generality=1` made 8 of 8 pass, which 0.9 left open."""
    assert decide("generality", share(8, 8), limit, at_least=True) == "open"
    assert (more_probes("generality", share(8, 8), limit) or 0) >= 27


def test_at_the_end_of_the_scale_all_of_a_known_number_decide():
    every = Metric(value=1.0, n=8, low=1.0, high=1.0, probes=8, population=8)

    assert decide("reliability", every, 1.0, at_least=True) == "met"


@pytest.mark.parametrize(("probes", "decision"), [(1, "open"), (2, "open"), (39, "open"), (40, "met")])
def test_a_bootstrap_over_a_few_probes_decides_nothing(probes, decision):
    """One or two unrelated answers, of which every resample is the same, stood for everything else."""
    steady = ratio([(0.0, 10.0)] * probes, list(map(str, range(probes))))

    assert decide("kl", steady, 0.02, at_least=False) == decision
    assert decision == "met" or more_probes("kl", steady, 0.02) == 40 - probes


def test_no_number_is_named_where_none_would_do():
    assert more_probes("reliability", share(9, 10), 0.9) is None
    assert more_probes("reliability", share(901, 1000), 0.9) is None
    assert more_probes("kl", Metric(value=0.01, n=1), 0.02) is None
