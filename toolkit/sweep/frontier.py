"""Which run to take: the frontier of took against kept, and a recommendation with its reason. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.compare.verdict import KEPT_AT_LEAST, KEPT_AT_MOST, TOOK_AT_LEAST, TOOK_AT_MOST

ALIKE = 1.1  # training times within a tenth of each other are the same cost
Values = Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One compared run. `seconds`: of training; `shortfall`: see below; `reasons`: the verdict's own."""

    name: str
    seconds: float
    passed: bool
    kl: float | None
    shortfall: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """`run` is None where nothing was compared."""

    run: str | None
    passed: bool
    reason: str


def took(values: Values) -> float | None:
    """The weaker of reliability and generality; None where neither was measured."""
    measured = [value for name in TOOK_AT_LEAST if (value := values.get(name)) is not None]
    return min(measured, default=None)


def frontier(points: Sequence[tuple[float | None, float | None]]) -> list[int]:
    """Which of the (took, kl) no other beats: none takes at least as well and drifts less, nor takes better for that.

    Points with a None are not on it; equal points all are. From the least taken on.
    """
    whole = [(one[0], one[1], at) for at, one in enumerate(points) if one[0] is not None and one[1] is not None]
    best = [
        (a, b, at)
        for a, b, at in whole
        if not any(x >= a and y <= b and (x, y) != (a, b) for x, y, _ in whole)
    ]  # fmt: skip
    return [at for _, _, at in sorted(best)]


def shortfall(per_system: Sequence[Values], thresholds: Mapping[str, float]) -> float:
    """What is missing under the worst system prompt, summed: of shares their distance, of kl the part over its limit.

    0 where every threshold is reached.
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
    """The cheapest run that passes, of those that cost alike the one that drifts least; else the nearest one."""
    if not candidates:
        return Recommendation(run=None, passed=False, reason="No run was compared.")
    passed = [one for one in candidates if one.passed]
    if not passed:
        best = min(candidates, key=lambda one: (one.shortfall, one.seconds))
        return Recommendation(
            run=best.name, passed=False, reason=f"No run passes; this one comes nearest. It misses: {_listed(best)}."
        )
    least = min(one.seconds for one in passed)
    alike = [one for one in passed if one.seconds <= least * ALIKE]
    best = min(alike, key=lambda one: (float("inf") if one.kl is None else one.kl, one.seconds))
    of = f"{len(passed)} of {len(candidates)} runs pass" if len(passed) > 1 else f"of {len(candidates)} it alone passes"
    why = "" if len(passed) == 1 else ", this is the cheapest"
    why += f"; {len(alike)} cost as little, and it drifts least of them" if len(alike) > 1 else ""
    return Recommendation(
        run=best.name, passed=True, reason=f"{of}{why} ({best.seconds:.1f} s of training).".capitalize()
    )


def _listed(candidate: Candidate) -> str:
    return "; ".join(candidate.reasons)
