"""Which run of a sweep to take: the frontier of learning against drift, and a recommendation with its reason. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.compare.decision import TOOK_AT_LEAST
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import AT_LEAST, KEPT_AT_MOST, TOOK_AT_MOST

SAME_COST = 1.1  # training times within a tenth of each other cost the same
SHOWN_REASONS = 2  # of a run that did not pass
Values = Mapping[str, float | None]
Point = tuple[float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A compared run. `seconds`: of training; `shortfall`: see the function; `reasons`: why the verdict failed.

    `passed`: by its figures; `inconclusive`: not by their intervals; `not_judged`: why a half of its verdict is open.
    """

    name: str
    seconds: float
    passed: bool
    kl: float | None
    shortfall: float
    reasons: tuple[str, ...] = ()
    inconclusive: bool = False
    not_judged: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """`run` is None if nothing was compared; without `passed` it is the one that comes closest.

    `undecided`: it meets its thresholds by its figures, but not by their intervals, and no other run does.
    """

    run: str | None
    passed: bool
    reason: str
    undecided: bool = False

    def headline(self, texts: Texts) -> str:
        """One line; only a run that passes is recommended."""
        if self.run is None:
            return texts("sweep.nothing")
        key = "undecided" if self.undecided else "recommended" if self.passed else "closest"
        return texts(f"sweep.{key}", run=self.run)


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
        if name in AT_LEAST:
            found.append(max(0.0, limit - value))
        elif name in (*TOOK_AT_MOST, *KEPT_AT_MOST) and value > limit:
            found.append(1 - limit / value if name == "kl" else value - limit)
    return found


def recommend(candidates: Sequence[Candidate], texts: Texts | None = None) -> Recommendation:
    """The cheapest run that passes; of several that cost the same, the one with the least drift.

    If none passes, the same of those that pass by their figures; if none does, the one with the smallest shortfall.
    The reason is in the language of `texts`, by default English.
    """
    t = texts or Texts()
    if not candidates:
        return Recommendation(run=None, passed=False, reason=t("sweep.nothing"))
    met = [candidate for candidate in candidates if candidate.passed]
    passed = [candidate for candidate in met if not candidate.inconclusive] or met
    if not passed:
        best = min(candidates, key=lambda one: (one.shortfall, one.seconds))
        left = len(best.reasons) - SHOWN_REASONS  # the run's own report has all, mostly one for each system prompt
        shown = [*best.reasons[:SHOWN_REASONS], *([t("sweep.more", count=left)] if left > 0 else [])]
        reason = t("sweep.misses", reasons=t("sweep.and").join(shown))
        return Recommendation(run=best.name, passed=False, reason=reason)
    least = min(candidate.seconds for candidate in passed)
    cheapest = [candidate for candidate in passed if candidate.seconds <= least * SAME_COST]
    best = min(cheapest, key=lambda one: (float("inf") if one.kl is None else one.kl, one.seconds))
    why = "only" if len(passed) == 1 else "cheapest" if len(cheapest) == 1 else "least_drift"
    undecided = best.inconclusive
    reason = t(
        f"sweep.{'figures' if undecided else 'why'}.{why}", count=len(candidates), passed=len(passed),
        cheapest=len(cheapest), seconds=f"{best.seconds:.1f}",
    )  # fmt: skip
    if undecided:
        reason = t("sweep.unsure", reason=reason, why=t("sweep.and").join(best.not_judged) or t("sweep.too_few"))
    elif len(candidates) > 1:
        reason = t("sweep.unsure", reason=reason, why=t("sweep.chosen", count=len(candidates)))
    return Recommendation(run=best.name, passed=not undecided, reason=reason, undecided=undecided)
