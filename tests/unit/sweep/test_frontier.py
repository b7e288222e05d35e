"""Which run to take, and why."""

import pytest

from toolkit.sweep.frontier import Candidate, frontier, learned, recommend, shortfall

LIMITS = {"reliability": 0.9, "generality": 0.9, "leakage": 0.02, "kl": 0.02}


def candidate(
    name: str, *, seconds: float = 10, passed: bool = False, kl: float = 0.01, missing: float = 0
) -> Candidate:
    reasons = () if passed else (f"{name} is short",)
    return Candidate(name=name, seconds=seconds, passed=passed, kl=kl, shortfall=missing, reasons=reasons)


def test_of_many_reasons_two_are_said_and_the_others_counted():
    several = tuple(f"generality is low (system prompt: {number})" for number in range(5))
    short = Candidate(name="v1", seconds=1, passed=False, kl=0.01, shortfall=1, reasons=several)

    assert recommend([short]).reason == f"It misses: {several[0]}; {several[1]}; and 3 more."


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"reliability": 1.0, "generality": 0.5}, 0.5),
        ({"reliability": 0.3, "generality": None}, 0.3),
        ({"kl": 0.1}, None),
    ],
)
def test_took_is_the_weaker_of_reliability_and_generality(values, expected):
    assert learned(values) == expected


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], []),
        ([(1.0, 0.2), (0.9, 0.1), (0.5, 0.15)], [1, 0]),
        ([(1.0, 0.2), (1.0, 0.1)], [1]),
        ([(0.9, 0.1), (1.0, 0.1)], [1]),
        ([(1.0, 0.1), (1.0, 0.1)], [0, 1]),
        ([(None, 0.1), (0.2, None), (0.1, 0.3)], [2]),
    ],
)
def test_on_the_frontier_is_what_no_other_run_beats(points, expected):
    assert frontier(points) == expected


def test_nothing_falls_short_where_every_threshold_is_reached():
    assert shortfall([{"reliability": 0.9, "generality": 1.0, "leakage": 0.02, "kl": 0.02}], LIMITS) == 0


def test_shares_fall_short_by_their_distance_and_kl_by_its_part_over_the_limit():
    values = {"reliability": 0.8, "generality": None, "leakage": 0.12, "kl": 0.08}

    assert shortfall([values], LIMITS) == pytest.approx(0.1 + 0.1 + 0.75)


def test_the_worst_system_prompt_decides():
    assert shortfall([{"reliability": 1.0}, {"reliability": 0.5}], LIMITS) == pytest.approx(0.4)


def test_the_cheapest_run_that_passes_is_recommended():
    advice = recommend(
        [candidate("fast", seconds=1), candidate("slow", seconds=30, passed=True), candidate("mid", passed=True)]
    )

    assert (advice.run, advice.passed) == ("mid", True)
    assert advice.reason == (
        "2 of 3 runs pass; this is the cheapest (10.0 s of training). Chosen from 3 runs by these questions, it tends "
        "to look better than it is: compare it with --probes-more, which asks others too."
    )


def test_of_runs_that_cost_alike_the_one_that_drifts_least_is_recommended():
    advice = recommend([candidate("a", seconds=10, passed=True, kl=0.02), candidate("b", seconds=10.5, passed=True)])

    assert advice.run == "b"
    assert "2 of 2 runs pass; of the 2 cheapest, this one drifts least" in advice.reason


def test_the_only_run_that_passes_is_said_to_be_that():
    advice = recommend([candidate("a"), candidate("b", passed=True)])

    assert advice.reason.startswith("The only one of 2 runs that passes (10.0 s of training). Chosen from 2 runs by")


def test_a_run_that_was_not_chosen_from_several_is_not_flattered():
    assert recommend([candidate("a", passed=True)]).reason.endswith("(10.0 s of training).")


def test_where_none_passes_the_nearest_is_named_with_what_it_misses():
    advice = recommend([candidate("far", missing=0.5), candidate("near", missing=0.1)])

    assert (advice.run, advice.passed) == ("near", False)
    assert advice.reason == "It misses: near is short."


def test_where_nothing_was_compared_nothing_is_recommended():
    assert recommend([]).run is None
