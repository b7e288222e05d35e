"""What two runs can do, from the flips that their reports have: the items that only one of them solves."""

from pathlib import Path

import pytest

from tests.fakes.ledgers import ledger
from tests.fakes.paired import compared_run, learned
from toolkit.compare.report.pair.abilities import Abilities, abilities
from toolkit.compare.report.pair.pair import read_pair
from toolkit.runs.ability_record import RecordedAbility


def paired(output: Path, left: RecordedAbility | None, right: RecordedAbility | None) -> Abilities | None:
    for number, ability in enumerate((left, right)):
        compared_run(output, number, learned(forgets=not number), ability=ability)
    return abilities(read_pair("v0", "v1", output))


def test_an_item_that_flipped_in_one_run_only_is_solved_by_one_of_them(tmp_path: Path):
    """Of ten items the base model solves the last five; x: solved, and the letters are the base's, left and right."""
    found = paired(tmp_path, ledger("-----xxxxx", "xx---xx---"), ledger("-----xxxxx", "x--x-xxxx-"))

    assert found is not None
    (one,) = found.groups
    assert (one.n, one.before, one.left, one.right) == (10, 5, 4, 6)
    assert (one.left_only, one.right_only, one.points) == (1, 3, 20.0)
    assert one.p == pytest.approx(0.625)
    assert one.low < one.points < one.high
    assert found.total is not None
    assert (found.total.left_only, found.total.right_only) == (1, 3)
    assert [(item.prompt, item.right_solves) for item in found.items] == [
        ("7?", True), ("8?", True), ("1?", False), ("3?", True)
    ]  # fmt: skip


def test_of_an_item_that_did_not_flip_the_answer_is_not_known(tmp_path: Path):
    found = paired(tmp_path, ledger("--xx", "---x"), ledger("--xx", "--xx"))

    assert found is not None
    (item,) = found.items
    assert (item.before, item.left, item.right, item.right_solves) == ("base", "tuned", None, True)


def test_an_item_that_flipped_in_both_is_no_difference(tmp_path: Path):
    found = paired(tmp_path, ledger("--xx", "x--x"), ledger("--xx", "x--x"))

    assert found is not None
    assert found.items == []
    assert found.groups[0].p == 1.0


@pytest.mark.parametrize("right", [ledger("-xx", "-xx"), ledger("-xxx", "-xxx"), ledger("x--x", "x-xx")])
def test_other_items_or_other_answers_of_the_base_are_not_compared(tmp_path: Path, right: RecordedAbility):
    """The last ledger's base solves as many, but an item that the left run lost was won by the right one."""
    found = paired(tmp_path, ledger("--xx", "---x"), right)

    assert found is not None
    assert (found.groups, found.total, found.items) == ([], None, [])
    assert found.apart == ["arithmetic"]


def test_abilities_that_one_run_lacks_are_not_compared(tmp_path: Path):
    assert paired(tmp_path, ledger("--", "--"), None) is None


def test_a_significant_group_is_marked_among_all(tmp_path: Path):
    base = "x" * 40
    found = paired(tmp_path, ledger(base, "-" * 20 + "x" * 20), ledger(base, base))

    assert found is not None
    assert found.groups[0].significant
    assert found.groups[0].points == 50.0
