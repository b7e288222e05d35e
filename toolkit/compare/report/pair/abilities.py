"""What two runs can do, item by item, from their reports' ledgers: both start from the same base model. Pure.

A report has the answers of the items that flipped only. An item that did not is solved as the base model solves it,
so the items that one run solves and the other does not are known, though not every answer to them is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from toolkit.compare.ability.items import GROUPS
from toolkit.compare.ability.ledger import TOTAL, holm, paired_difference
from toolkit.compare.metrics import sign_test
from toolkit.compare.report.pair.pair import Pair
from toolkit.runs.ability_record import RecordedAbility, RecordedAbilityChange, RecordedAbilityGroup


@dataclass(frozen=True, kw_only=True)
class AbilityDifference:
    """Of one group: how many of `n` items the base model and each run solve, and those that only one run solves.

    `points`: right minus left in percentage points, with its 95 % interval; `p`: McNemar's exact test.
    """

    name: str
    n: int
    before: int
    left: int
    right: int
    left_only: int
    right_only: int
    points: float
    low: float
    high: float
    p: float
    significant: bool = False  # among all groups


@dataclass(frozen=True, kw_only=True)
class AbilityItem:
    """An item that one run solves and the other does not. `left`, `right`: the answer; None where it did not flip."""

    group: str
    prompt: str
    before: str
    left: str | None
    right: str | None
    right_solves: bool


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """The groups, then the total of the shipped ones; `apart`: groups that are not the same items in both."""

    groups: Sequence[AbilityDifference]
    total: AbilityDifference | None
    items: Sequence[AbilityItem]
    apart: Sequence[str]


def abilities(pair: Pair) -> Abilities | None:
    """None unless both runs' abilities were measured, under the same system prompt."""
    left, right = pair.left.report.ability, pair.right.report.ability
    if left is None or right is None or not (left.groups and right.groups) or left.system != right.system:
        return None
    old, new = ({one.name: one for one in side.groups} for side in (left, right))
    items = _items(left, right)
    found = [one for name in old if name in new and (one := _group(old[name], new[name], items)) is not None]
    names = [one.name for one in found]
    significant = holm({one.name: one.p for one in found})
    total = None
    if left.total is not None and right.total is not None:
        total = _group(left.total, right.total, [replace(one, group=TOTAL) for one in items if one.group in GROUPS])
    return Abilities(
        groups=[replace(one, significant=one.name in significant) for one in found], total=total,
        items=[one for one in items if one.group in names],
        apart=[name for name in dict.fromkeys((*old, *new)) if name not in names],
    )  # fmt: skip


def _items(left: RecordedAbility, right: RecordedAbility) -> list[AbilityItem]:
    """An item flipped in one run only is solved by one of the two; flipped in both, by both or neither."""
    old, new = ({one.id: one for one in side.changes if _flipped(one)} for side in (left, right))
    lone = [*(old[name] for name in old if name not in new), *(new[name] for name in new if name not in old)]
    return [
        AbilityItem(
            group=one.group, prompt=one.prompt, before=one.before,
            left=one.after if one.id in old else None, right=one.after if one.id in new else None,
            right_solves=one.passed == (one.id in new),
        )
        for one in lone
    ]  # fmt: skip


def _flipped(one: RecordedAbilityChange) -> bool:
    return one.passed != one.passed_before


def _group(
    old: RecordedAbilityGroup, new: RecordedAbilityGroup, items: Sequence[AbilityItem]
) -> AbilityDifference | None:
    """None if these are not the same items, or the base model's answers to them were not the same."""
    up = sum(one.right_solves for one in items if one.group == old.name)
    down = sum(not one.right_solves for one in items if one.group == old.name)
    if (old.n, old.before) != (new.n, new.before) or up - down != new.after - old.after:
        return None
    low, high = paired_difference(up, down, old.n)
    return AbilityDifference(
        name=old.name, n=old.n, before=old.before, left=old.after, right=new.after, left_only=down, right_only=up,
        points=100 * (up - down) / old.n, low=100 * low, high=100 * high, p=sign_test(up, down),
    )  # fmt: skip
