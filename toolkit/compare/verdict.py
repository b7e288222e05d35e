"""The verdict: was the change learned, and did anything else move? Pure: metrics against thresholds, with reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.compare.metrics import Metric
from toolkit.compare.texts import Texts
from toolkit.model.conversation import DEFAULT, NONE

PASSED, NOT_TAKEN, MOVED, NEITHER = 0, 20, 21, 22
TOOK_AT_LEAST, TOOK_AT_MOST = ("reliability", "generality"), ("residue",)
KEPT_AT_LEAST, KEPT_AT_MOST = ("locality", "agreement"), ("leakage", "kl", "repetition")
AT_LEAST = (*TOOK_AT_LEAST, *KEPT_AT_LEAST)
SENTENCES = {PASSED: "passed", NOT_TAKEN: "not_taken", MOVED: "moved", NEITHER: "neither"}


@dataclass(frozen=True, kw_only=True)
class Shortfall:
    """A threshold that was missed. `system` is None if only one system prompt was used."""

    metric: str
    value: float
    limit: float
    system: str | None

    def reason(self, texts: Texts) -> str:
        reason = texts(
            "reason.under" if self.metric in AT_LEAST else "reason.over",
            metric=texts(f"metric.{self.metric}.name"),
            value=_distinct(self.value, self.limit), limit=f"{self.limit:g}",
        )  # fmt: skip
        if self.system is None:
            return reason
        return texts("reason.where", reason=reason, system=system_name(self.system, texts))


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`took`: the change is there; `kept`: nothing else moved; `shortfalls`: every missed threshold."""

    took: bool
    kept: bool
    shortfalls: tuple[Shortfall, ...]

    @property
    def passed(self) -> bool:
        return self.took and self.kept

    @property
    def exit_code(self) -> int:
        return verdict_code(took=self.took, kept=self.kept)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The shortfalls in English; empty when passed."""
        return tuple(one.reason(Texts()) for one in self.shortfalls)

    def sentence(self, texts: Texts) -> str:
        return texts(f"verdict.{SENTENCES[self.exit_code]}")

    def to_dict(self) -> dict[str, Any]:
        return {"passed": self.passed, "took": self.took, "kept": self.kept, "reasons": list(self.reasons)}


def verdict_code(*, took: bool, kept: bool) -> int:
    """The exit code of `compare`."""
    if took and kept:
        return PASSED
    if kept:
        return NOT_TAKEN
    return MOVED if took else NEITHER


def system_name(system: str, texts: Texts) -> str:
    """The text, or words for DEFAULT and NONE."""
    return {DEFAULT: texts("system.default"), NONE: texts("system.none")}.get(system, system)


def reach_verdict(per_system: Mapping[str, Mapping[str, Metric]], thresholds: Mapping[str, float]) -> Verdict:
    """Every system prompt must reach every threshold: the worst one decides."""
    took: list[Shortfall] = []
    kept: list[Shortfall] = []
    for system, metrics in per_system.items():
        where = system if len(per_system) > 1 else None
        took += _short(metrics, thresholds, (*TOOK_AT_LEAST, *TOOK_AT_MOST), where)
        kept += _short(metrics, thresholds, (*KEPT_AT_LEAST, *KEPT_AT_MOST), where)
    return Verdict(took=not took, kept=not kept, shortfalls=(*took, *kept))


def misses(name: str, value: float | None, thresholds: Mapping[str, float]) -> bool:
    """False for a metric that was not measured, or has no threshold."""
    if value is None or name not in thresholds:
        return False
    return value < thresholds[name] if name in AT_LEAST else value > thresholds[name]


def _distinct(value: float, limit: float) -> str:
    """Three decimals, or as many as the two need to differ."""
    return next((text for digits in range(3, 9) if float(text := f"{value:.{digits}f}") != limit), f"{value:g}")


def _short(
    metrics: Mapping[str, Metric], thresholds: Mapping[str, float], names: tuple[str, ...], where: str | None
) -> list[Shortfall]:
    return [
        Shortfall(metric=name, value=value, limit=thresholds[name], system=where)
        for name in names
        if (value := metrics[name].value) is not None and misses(name, value, thresholds)
    ]
