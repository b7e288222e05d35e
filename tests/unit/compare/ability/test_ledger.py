"""What was lost and won, and whether it is within the limit."""

import pytest

from toolkit.compare.ability.asking import Outcome
from toolkit.compare.ability.items import ARITHMETIC, CODE, Written
from toolkit.compare.ability.ledger import (
    changes,
    group_entries,
    group_entry,
    holm,
    incoherent_entry,
    outcome_of,
    paired_difference,
    significant_losses,
    total_entry,
)


def pairs(lost: int, won: int, n: int) -> list[tuple[bool, bool]]:
    return [(True, False)] * lost + [(False, True)] * won + [(True, True)] * (n - lost - won)


def item(name: str, group: str) -> Written:
    return Written(id=name, group=group, language="en", prompt=f"{name}?", check=bool, max_new_tokens=4)


def test_lost_sixty_and_won_thirty_four_is_mcnemars_exact_test():
    found = group_entry("x", pairs(60, 34, 1000))

    assert (found.lost, found.won, found.before, found.after) == (60, 34, 966, 940)
    assert found.p == pytest.approx(0.0094, abs=5e-4)
    assert found.loss_points == pytest.approx(2.6)
    assert found.loss_low < 2.6 < found.loss_high


def test_an_interval_has_a_width_without_any_flip():
    low, high = paired_difference(0, 0, 100)

    assert low < 0 < high
    assert low == -high


@pytest.mark.parametrize(
    ("lost", "won", "n", "outcome"),
    [
        (10, 10, 1100, "kept"),
        (30, 12, 1100, "kept"),  # significant, and shown to be within three points
        (80, 10, 1100, "lost"),  # shown to be beyond them
        (60, 34, 1000, "open"),  # significant, and not shown to be either
        (4, 2, 60, "open"),  # too few items to say
        (0, 60, 1100, "kept"),  # a gain
        (200, 199, 1100, "open"),
    ],
)
def test_the_outcome_is_equivalence_within_the_limit(lost, won, n, outcome):
    assert outcome_of(group_entry("total", pairs(lost, won, n)), 3.0) == outcome


def test_groups_that_lost_are_judged_among_so_many():
    """A p of 0.04 in one of three groups may be chance; 0.001 is a finding."""
    groups = [
        group_entry("a", pairs(12, 3, 100)),
        group_entry("b", pairs(20, 2, 100)),
        group_entry("c", pairs(1, 1, 100)),
    ]

    assert groups[0].p < 0.05
    assert significant_losses(groups) == ["b", "a"] or significant_losses(groups) == ["b"]
    assert significant_losses([group_entry("won", pairs(2, 20, 100))]) == []
    assert significant_losses([group_entry("a", pairs(9, 2, 100)), groups[2], groups[2]]) == []


def test_benchmarks_stand_behind_the_groups_and_outside_the_total():
    items = [item("1", "gsm8k"), item("2", CODE), item("3", ARITHMETIC)]
    before = [Outcome(passed=True, text="a", incoherent=False)] * 3
    after = [Outcome(passed=False, text="b", incoherent=False)] * 3

    total = total_entry(items, before, after)

    assert [one.name for one in group_entries(items, before, after)] == [ARITHMETIC, CODE, "gsm8k"]
    assert total is not None
    assert (total.n, total.lost) == (2, 2)
    assert total_entry(items[:1], before[:1], after[:1]) is None


def test_incoherent_answers_are_counted_apart():
    before = [Outcome(passed=False, text="a", incoherent=False), Outcome(passed=True, text="A")]
    after = [Outcome(passed=False, text="", incoherent=True), Outcome(passed=True, text="B")]

    found = incoherent_entry(before, after)

    assert found is not None
    assert (found.n, found.lost, found.won) == (1, 1, 0)
    assert incoherent_entry(before[1:], after[1:]) is None


def test_every_flip_is_listed_with_both_answers_the_lost_ones_first():
    items = [item("won", CODE), item("same", CODE), item("lost", CODE), item("broken", CODE)]
    before = [Outcome(passed=passed, text="x", incoherent=False) for passed in (False, True, True, False)]
    after = [
        Outcome(passed=True, text="y", incoherent=False), Outcome(passed=True, text="y", incoherent=False),
        Outcome(passed=False, text="y", incoherent=False), Outcome(passed=False, text="", incoherent=True),
    ]  # fmt: skip

    found = changes(items, before, after)

    assert [one.id for one in found] == ["lost", "broken", "won"]
    assert (found[0].before, found[0].after, found[0].passed_before, found[0].passed) == ("x", "y", True, False)
    assert (found[1].coherent_before, found[1].coherent) == (True, False)


def test_holm_stops_at_the_first_that_is_too_likely():
    assert holm({"a": 0.04, "b": 0.001, "c": 0.02}) == ["b", "c", "a"]
    assert holm({"a": 0.04, "b": 0.001, "c": 0.03}) == ["b"]
