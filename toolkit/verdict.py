"""The verdict: did it take, and did anything else move? Pure: metrics against thresholds, every reason named."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.metrics import Metric

PASSED, NOT_TAKEN, MOVED, NEITHER = 0, 20, 21, 22
TOOK_AT_LEAST, TOOK_AT_MOST = ("reliability", "generality"), ("residue",)
KEPT_AT_LEAST, KEPT_AT_MOST = ("locality", "agreement"), ("leakage", "kl")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`took`: the change is there; `kept`: nothing else moved; `reasons` say what fell short, empty when passed."""

    took: bool
    kept: bool
    reasons: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return self.took and self.kept

    @property
    def exit_code(self) -> int:
        if self.passed:
            return PASSED
        if self.kept:
            return NOT_TAKEN
        return MOVED if self.took else NEITHER

    @property
    def sentence(self) -> str:
        return {
            PASSED: "Passed: it took, and nothing else moved.",
            NOT_TAKEN: "It did not take; nothing else moved.",
            MOVED: "It took, but something else moved.",
            NEITHER: "It did not take, and something else moved.",
        }[self.exit_code]

    def to_dict(self) -> dict[str, Any]:
        return {"passed": self.passed, "took": self.took, "kept": self.kept, "reasons": list(self.reasons)}


def reach_verdict(per_system: Mapping[str, Mapping[str, Metric]], thresholds: Mapping[str, float]) -> Verdict:
    """Every system prompt must reach every threshold: the worst one decides."""
    took: list[str] = []
    kept: list[str] = []
    for system, metrics in per_system.items():
        where = f" (system prompt: {system or 'none'})" if len(per_system) > 1 else ""
        took += _short(metrics, thresholds, TOOK_AT_LEAST, TOOK_AT_MOST, where)
        kept += _short(metrics, thresholds, KEPT_AT_LEAST, KEPT_AT_MOST, where)
    return Verdict(took=not took, kept=not kept, reasons=(*took, *kept))


def _short(
    metrics: Mapping[str, Metric],
    thresholds: Mapping[str, float],
    at_least: tuple[str, ...],
    at_most: tuple[str, ...],
    where: str,
) -> list[str]:
    reasons = []
    for name in (*at_least, *at_most):
        value = metrics[name].value
        if name not in thresholds or value is None:
            continue
        low = name in at_least
        if (value < thresholds[name]) if low else (value > thresholds[name]):
            limit = f"{'under' if low else 'over'} {thresholds[name]:g}"
            reasons.append(f"{name} is {value:.3f}, {limit}{where}")
    return reasons
