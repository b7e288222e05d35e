"""Which run of a sweep to take: the frontier of learning against drift, and a recommendation with its reason. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.compare.verdict import KEPT_AT_LEAST, KEPT_AT_MOST, TOOK_AT_LEAST, TOOK_AT_MOST

SAME_COST = 1.1  # training times within a tenth of each other cost the same
Values = Mapping[str, float | None]
Point = tuple[float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A compared run. `seconds`: of training; `shortfall`: see the function; `reasons`: why the verdict failed."""

    name: str
    seconds: float
    passed: bool
    kl: float | None
    shortfall: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """`run` is None if nothing was compared."""

    run: str | None
    passed: bool
    reason: str


def learned(values: Values) -> float | None:
    """The weaker of reliability and generality; None if neither was measured."""
    measured = [value for name in TOOK_AT_LEAST if (value := values.get(name)) is not None]
    return min(measured, default=None)


def frontier(points: Sequence[Point]) -> list[int]:
    """Indices of the Pareto-optimal (learned, kl) points, ordered by what was learned.

    No other point learns at least as much with at most the same drift, one of the two strictly. Equal points are all
    included; points with a None are not.
    """
    measured = [(x, y, at) for at, (x, y) in enumerate(points) if x is not None and y is not None]
    best = [
        (x, y, at)
        for x, y, at in measured
        if not any(a >= x and b <= y and (a, b) != (x, y) for a, b, _ in measured)
    ]  # fmt: skip
    return [at for _, _, at in sorted(best)]


def shortfall(per_system: Sequence[Values], thresholds: Mapping[str, float]) -> float:
    """How far the worst system prompt is from its thresholds, summed over metrics; 0 if all are met.

    A share counts with its distance from the threshold, KL with 1 - threshold / KL.
    """
    return max((sum(_misses(values, thresholds)) for values in per_system), default=0.0)


def _misses(values: Values, thresholds: Mapping[str, float]) -> list[float]:
    found = []
    for name, limit in thresholds.items():
        value = values.get(name)
        if value is None:
            continue
        if name in (*TOOK_AT_LEAST, *KEPT_AT_LEAST):
            found.append(max(0.0, limit - value))
        elif name in (*TOOK_AT_MOST, *KEPT_AT_MOST) and value > limit:
            found.append(1 - limit / value if name == "kl" else value - limit)
    return found


def recommend(candidates: Sequence[Candidate]) -> Recommendation:
    """The cheapest run that passes; of several that cost the same, the one with the least drift.

    If none passes, the one with the smallest shortfall.
    """
    if not candidates:
        return Recommendation(run=None, passed=False, reason="No run was compared.")
    passed = [candidate for candidate in candidates if candidate.passed]
    if not passed:
        best = min(candidates, key=lambda one: (one.shortfall, one.seconds))
        reason = f"No run passes; this one comes closest. It misses: {'; '.join(best.reasons)}."
        return Recommendation(run=best.name, passed=False, reason=reason)
    least = min(candidate.seconds for candidate in passed)
    cheapest = [candidate for candidate in passed if candidate.seconds <= least * SAME_COST]
    best = min(cheapest, key=lambda one: (float("inf") if one.kl is None else one.kl, one.seconds))
    if len(passed) == 1:
        why = f"The only one of {len(candidates)} runs that passes"
    elif len(cheapest) == 1:
        why = f"{len(passed)} of {len(candidates)} runs pass; this is the cheapest"
    else:
        why = f"{len(passed)} of {len(candidates)} runs pass; of the {len(cheapest)} cheapest, this one drifts least"
    return Recommendation(run=best.name, passed=True, reason=f"{why} ({best.seconds:.1f} s of training).")
