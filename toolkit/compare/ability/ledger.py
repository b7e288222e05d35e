"""The ability ledger: which items each side solves, what was lost and won, and if that is within a limit. Pure.

Equivalence, not the absence of significance: abilities are kept if the 95 % interval of the loss is within the limit.
"""

from collections.abc import Mapping, Sequence

from toolkit.compare.ability.asking import Outcome
from toolkit.compare.ability.items import GROUPS, Item
from toolkit.compare.metrics import SIGNIFICANT, paired_flips
from toolkit.runs.ability_record import AbilityOutcome, RecordedAbilityChange, RecordedAbilityGroup

LIMIT_POINTS = 3.0  # of the total: about 1100 items with one in twenty flipped have an interval of ± 1.3 points
TOTAL = "total"
Z_95 = 1.96
Pairs = Sequence[tuple[bool, bool]]


def paired_difference(gained: int, lost: int, n: int) -> tuple[float, float]:
    """The 95 % interval of (right after - right before) / n: Bonett and Price's adjusted Wald interval (2012).

    Unlike Wald's own it has a width where no pair changed.
    """
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = Z_95 * ((up + down - (up - down) ** 2) / (n + 2)) ** 0.5
    return up - down - half, up - down + half


def group_entry(name: str, pairs: Pairs) -> RecordedAbilityGroup:
    """What was lost and won; `pairs`: whether each side holds, at least one."""
    flips = paired_flips([(str(at), *pair) for at, pair in enumerate(pairs)])  # each item is asked once
    low, high = paired_difference(flips.gained, flips.lost, flips.n)
    return RecordedAbilityGroup.from_dict({
        "name": name, "n": flips.n,
        "before": sum(first for first, _ in pairs), "after": sum(second for _, second in pairs),
        "lost": flips.lost, "won": flips.gained, "p": flips.p,
        "loss_points": 100 * (flips.lost - flips.gained) / flips.n, "loss_low": -100 * high, "loss_high": -100 * low,
    })  # fmt: skip


def outcome_of(total: RecordedAbilityGroup, limit_points: float) -> AbilityOutcome:
    """kept: the complete interval of the loss is within the limit. lost: it is complete beyond it. open: neither."""
    if total.loss_high <= limit_points:
        return "kept"
    return "lost" if total.loss_low > limit_points else "open"


def holm(p_values: Mapping[str, float], *, level: float = SIGNIFICANT) -> list[str]:
    """The names whose p is significant among so many: Holm's step-down method (1979), the smallest first."""
    found: list[str] = []
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda one: one[1])):
        if p >= level / (len(p_values) - rank):
            break
        found.append(name)
    return found


def significant_losses(groups: Sequence[RecordedAbilityGroup]) -> list[str]:
    """The groups that lost significantly, among so many groups."""
    lost = {one.name for one in groups if one.lost > one.won}
    return [name for name in holm({one.name: one.p for one in groups}) if name in lost]


def group_entries(
    items: Sequence[Item], before: Sequence[Outcome], after: Sequence[Outcome]
) -> list[RecordedAbilityGroup]:
    """One for each group that has items: the shipped groups first, in their order."""
    pairs: dict[str, list[tuple[bool, bool]]] = {}
    for item, old, new in zip(items, before, after, strict=True):
        pairs.setdefault(item.group, []).append((old.passed, new.passed))
    names = [*(name for name in GROUPS if name in pairs), *(name for name in pairs if name not in GROUPS)]
    return [group_entry(name, pairs[name]) for name in names]


def total_entry(
    items: Sequence[Item], before: Sequence[Outcome], after: Sequence[Outcome]
) -> RecordedAbilityGroup | None:
    """Over the shipped groups; None without items of theirs. Public benchmarks are not part of it."""
    pairs = [
        (old.passed, new.passed)
        for item, old, new in zip(items, before, after, strict=True) if item.group in GROUPS
    ]  # fmt: skip
    return group_entry(TOTAL, pairs) if pairs else None


def incoherent_entry(before: Sequence[Outcome], after: Sequence[Outcome]) -> RecordedAbilityGroup | None:
    """Of the coherent written answers: `lost` ones became empty, repetitive or of another language."""
    pairs = [
        (not old.incoherent, not new.incoherent)
        for old, new in zip(before, after, strict=True) if old.incoherent is not None
    ]  # fmt: skip
    return group_entry("coherent", pairs) if pairs else None


def changes(items: Sequence[Item], before: Sequence[Outcome], after: Sequence[Outcome]) -> list[RecordedAbilityChange]:
    """Each item that only one side solves, or of which only one answer is coherent: the lost ones first."""
    found = [
        RecordedAbilityChange.from_dict({
            "id": item.id, "group": item.group, "prompt": item.prompt, "before": old.text, "after": new.text,
            "passed_before": old.passed, "passed": new.passed,
            "coherent_before": not old.incoherent, "coherent": not new.incoherent,
        })
        for item, old, new in zip(items, before, after, strict=True)
        if (old.passed, bool(old.incoherent)) != (new.passed, bool(new.incoherent))
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.passed)
