"""The verdict: was the change learned, was everything else kept, or do too few probes tell? Pure, with reasons."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from toolkit.compare.decision import (
    DEEP,
    TOOK_AT_LEAST,
    Counts,
    Decision,
    Unmeasured,
    counts_of,
    decide,
    drift_not_known,
    more_probes,
    not_shown,
)
from toolkit.compare.metrics import Flips, Metric
from toolkit.compare.texts import Texts, system_name
from toolkit.runs.ability_record import RecordedAbility
from toolkit.runs.answer_record import RecordedThinking

PASSED, NOT_TAKEN, MOVED, NEITHER, INCONCLUSIVE = 0, 20, 21, 22, 23
TOOK_AT_MOST = ("residue",)
KEPT_AT_LEAST, KEPT_AT_MOST = ("locality", "tool_locality", "agreement"), ("leakage", "kl", "repetition")
# Points beside what the probes measure: that the ability ledger lost in total; by which the share of answers with a
# thought moved, or, where none should have one, that have one.
ABILITY, THINKING, THOUGHT = "ability", "thinking", "thought"
PROBED = (*TOOK_AT_LEAST, *DEEP, *TOOK_AT_MOST, *KEPT_AT_LEAST, *KEPT_AT_MOST)
TOOK = (*TOOK_AT_LEAST, *DEEP, *TOOK_AT_MOST, THOUGHT)
KEPT = (*KEPT_AT_LEAST, *KEPT_AT_MOST, ABILITY, THINKING)
HALVES: Mapping[Literal["took", "kept"], tuple[str, ...]] = {"took": TOOK, "kept": KEPT}
AT_LEAST = (*TOOK_AT_LEAST, *DEEP, *KEPT_AT_LEAST)
DECIDED: Mapping[str, Decision] = {"kept": "met", "lost": "missed", "moved": "missed", "open": "open"}  # by outcome
SENTENCES = {PASSED: "passed", NOT_TAKEN: "not_taken", MOVED: "moved", NEITHER: "neither"}
Outcome = Literal["passed", "failed", "inconclusive"]


@dataclass(frozen=True, kw_only=True)
class Shortfall:
    """A threshold that was missed, or that the figure's interval reaches across (`decision` open).

    `system` is None if only one system prompt was used. `more`: about how many further probes would decide an open
    one; None if no reasonable number would, or it is decided. `left`: how many more could be asked, None: of no known
    end.
    """

    metric: str
    value: float
    limit: float
    system: str | None
    low: float | None = None
    high: float | None = None
    decision: Decision = "missed"
    more: int | None = None
    left: int | None = None

    @property
    def decidable(self) -> bool:
        """Whether as many more probes as would decide it could be asked."""
        return self.more is not None and (self.left is None or self.more <= self.left)

    @property
    def missed(self) -> bool:
        """Whether the figure itself misses the limit, whatever its interval."""
        return misses(self.metric, self.value, {self.metric: self.limit})

    def reason(self, texts: Texts) -> str:
        below = self.metric in AT_LEAST
        name = texts(f"metric.{self.metric}.name")
        values = {"metric": name, "value": _distinct(self.value, self.limit), "limit": f"{self.limit:g}"}
        key = ("under" if below else "over") if self.missed else "met"
        reason = texts(f"reason.{key}", **values)
        if self.decision == "open":
            reason = texts("reason.open", reason=reason, reaches=self._reaches(texts), tells=self._tells(texts))
        if self.system is None:
            return reason
        return texts("reason.where", reason=reason, system=system_name(self.system, texts))

    def _reaches(self, texts: Texts) -> str:
        """Where its interval ends beyond the limit, or that it tells nothing."""
        bound = self.high if self.missed == (self.metric in AT_LEAST) else self.low
        if bound is None or misses(self.metric, bound, {self.metric: self.limit}) == self.missed:
            return texts("reason.few")
        return texts("reason.reaches", bound=_distinct(bound, self.limit), limit=f"{self.limit:g}")

    def _tells(self, texts: Texts) -> str:
        """What would decide it."""
        if self.more is None:
            return texts("reason.all_items" if self.metric == ABILITY else "reason.too_close")
        return texts("reason.more" if self.decidable else "reason.left", count=self.more, left=self.left)

    def to_dict(self) -> dict[str, Any]:
        """As in report.json's `undecided`."""
        return {
            "metric": self.metric, "system": self.system, "value": self.value, "low": self.low, "high": self.high,
            "limit": self.limit, "more_probes": self.more,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """By the figures, `took`: the change is there; `kept`: nothing else exceeds its limit.

    `outcome` is decided by their intervals. `shortfalls`: every figure that misses its limit. `undecided`: of each
    metric whose interval reaches across its limit, the system prompt that most probes are missing for.
    `unmeasured`: halves of which nothing was judged; so a verdict that nothing fails is not passed either.
    `left`: how many more probes could be asked for a metric, where they end. `strict`: inconclusive has its exit code.
    """

    took: bool
    kept: bool
    shortfalls: tuple[Shortfall, ...]
    outcome: Outcome
    undecided: tuple[Shortfall, ...] = ()
    unmeasured: tuple[Unmeasured, ...] = ()
    counts: Counts = Counts()  # noqa: RUF009  # it is frozen
    strict: bool = False
    left: Mapping[str, int] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether every figure meets its limit, and there is one: what the exit code goes by."""
        return self.took and self.kept and self.judged

    @property
    def passed(self) -> bool:
        """Whether every figure meets its limit and both halves were judged; the intervals may still not tell."""
        return self.met and not self.unmeasured

    @property
    def judged(self) -> bool:
        """Whether there is any figure to go by."""
        return sum(one.why == "unmeasured" for one in self.unmeasured) < len(HALVES)

    @property
    def exit_code(self) -> int:
        if self.outcome == "inconclusive" and (self.strict or not self.judged):
            return INCONCLUSIVE
        return verdict_code(took=self.took, kept=self.kept)

    @property
    def colour(self) -> str:
        return {"passed": "green", "failed": "red", "inconclusive": "yellow"}[self.outcome]

    def half(self, ledger: Literal["took", "kept"]) -> Decision:
        """Of `took` or `kept`: met, missed or open."""
        undecided = self.outcome != "failed" and any(one.metric in HALVES[ledger] for one in self.undecided)
        if undecided or any(one.metric == ledger for one in self.unmeasured):
            return "open"
        return "met" if (self.took if ledger == "took" else self.kept) else "missed"

    @property
    def reasons(self) -> tuple[str, ...]:
        """What was missed and what is undecided, in English; empty when passed."""
        return tuple(one.reason(Texts()) for one in self.why)

    @property
    def why(self) -> tuple[Shortfall | Unmeasured, ...]:
        """The shortfalls, then what is undecided though its figure meets the limit, if that is what decides."""
        if self.outcome == "failed":
            return self.shortfalls
        return (*self.shortfalls, *(one for one in self.undecided if not one.missed), *self.unmeasured)

    def sentence(self, texts: Texts) -> str:
        """The outcome with the counts behind it."""
        counts, head = self.counts.phrase(texts), self.head(texts)
        return f"{head}{texts('colon')}{counts}{texts('stop')}" if counts else f"{head}{texts('stop')}"

    def head(self, texts: Texts) -> str:
        """The outcome, in a word or a few."""
        figures = SENTENCES[verdict_code(took=self.took, kept=self.kept)]
        return texts(f"verdict.{'inconclusive' if self.outcome == 'inconclusive' else figures}")

    def by_figures(self, texts: Texts) -> str:
        """For an inconclusive verdict: what the figures say, and the exit code; else empty."""
        if self.outcome != "inconclusive":
            return ""
        if not self.judged:
            return texts("figures.none", code=self.exit_code)
        whys = {one.why for one in self.unmeasured} if self.met else set[str]()
        word = SENTENCES[verdict_code(took=self.took, kept=self.kept)]
        word = "known" if "known" in whys else "half" if "unmeasured" in whys else word
        figures = texts(f"figures.{word}", unsure=texts("figures.few" if self.undecided else "figures.unshown"))
        return texts("figures.strict" if self.strict else "figures.plain", figures=figures, code=self.exit_code)

    def to_dict(self) -> dict[str, Any]:
        return {
            "passed": self.passed, "took": self.took, "kept": self.kept, "outcome": self.outcome,
            "not_judged": list(dict.fromkeys(one.metric for one in self.unmeasured)),
            "strict": self.strict, "exit_code": self.exit_code, "reasons": list(self.reasons),
            "undecided": [one.to_dict() for one in self.undecided], "probes_left": dict(self.left),
        }  # fmt: skip


def verdict_code(*, took: bool, kept: bool) -> int:
    """The exit code of `compare`."""
    return (PASSED if took else NOT_TAKEN) if kept else (MOVED if took else NEITHER)


def reach_verdict(
    per_system: Mapping[str, Mapping[str, Metric]], thresholds: Mapping[str, float], *, strict: bool = False,
    ability: RecordedAbility | None = None, thinking: RecordedThinking | None = None,
    left: Mapping[str, int] | None = None, expected: Flips | None = None,
) -> Verdict:  # fmt: skip
    """Every threshold must be met under every system prompt, each by its complete interval: the worst one decides.

    `ability`: what the ledger lost in total must be within its limit too; so must `thinking`. `left`: how many more
    probes could be asked for a metric, where they come to an end. `expected`: questions that became as expected, or
    ceased to be; None where the before side is not the base model.
    """
    left = left or {}
    probed = [one for name in PROBED for one in judged_figures(name, per_system, thresholds, left)]
    ledger = [*_ability_loss(ability), *_thinking(thinking)]
    judged = [*probed, *ledger]
    ordered = [one for system in _places(per_system) for one in probed if one.system == system]
    shortfalls = tuple(one for one in (*ordered, *ledger) if one.missed)
    missed = {one.metric for one in shortfalls}
    undecided = [one for one in judged if one.decision == "open"]
    failed, figures = any(one.decision == "missed" for one in judged), {one.metric for one in judged}
    shown = None if figures.isdisjoint(TOOK_AT_LEAST) else expected
    empty = (Unmeasured(metric=half) for half in HALVES if figures.isdisjoint(HALVES[half]))
    drift = [] if figures.isdisjoint(KEPT) else drift_not_known(per_system, thresholds)
    unmeasured = (*not_shown(shown), *empty, *drift)
    return Verdict(
        took=missed.isdisjoint(TOOK),
        kept=missed.isdisjoint(KEPT),
        shortfalls=shortfalls,
        outcome="failed" if failed else "inconclusive" if undecided or unmeasured else "passed",
        undecided=tuple(_one_of_each_metric(undecided)),
        unmeasured=unmeasured,
        counts=counts_of(per_system, thresholds, shown),
        strict=strict,
        left=left,
    )


def _places(per_system: Mapping[str, Mapping[str, Metric]]) -> list[str | None]:
    return list(per_system) if len(per_system) > 1 else [None] * len(per_system)


def judged_figures(
    name: str, per_system: Mapping[str, Mapping[str, Metric]], thresholds: Mapping[str, float], left: Mapping[str, int]
) -> Iterator[Shortfall]:
    """Under each system prompt, if the metric was measured and has a threshold."""
    if (limit := thresholds.get(name)) is None:
        return
    for system, place in zip(per_system, _places(per_system), strict=True):
        metric = per_system[system][name]
        if metric.value is None:
            continue
        decision = decide(name, metric, limit, at_least=name in AT_LEAST)
        yield Shortfall(
            metric=name, value=metric.value, limit=limit, system=place, low=metric.low, high=metric.high,
            decision=decision, more=more_probes(name, metric, limit) if decision == "open" else None,
            left=left.get(name),
        )  # fmt: skip


def _ability_loss(ability: RecordedAbility | None) -> Iterator[Shortfall]:
    if ability is None or (total := ability.total) is None:
        return
    yield Shortfall(
        metric=ABILITY, value=total.loss_points, limit=ability.limit_points, system=None, low=total.loss_low,
        high=total.loss_high, decision=DECIDED[ability.outcome or "open"],
    )  # fmt: skip


def thinking_metric(thinking: RecordedThinking) -> str:
    """What is judged of it: that it stays as it was, or that none is left."""
    return THINKING if thinking.wanted == "keep" else THOUGHT


def _thinking(thinking: RecordedThinking | None) -> Iterator[Shortfall]:
    if thinking is not None:
        yield Shortfall(
            metric=thinking_metric(thinking), value=thinking.points, limit=thinking.limit_points, system=None,
            low=thinking.low, high=thinking.high, decision=DECIDED[thinking.outcome], more=thinking.more,
        )  # fmt: skip


def _one_of_each_metric(undecided: list[Shortfall]) -> Iterator[Shortfall]:
    for name in dict.fromkeys(one.metric for one in undecided):
        yield max(
            (one for one in undecided if one.metric == name),
            key=lambda one: float("inf") if one.more is None else one.more,
        )


def misses(name: str, value: float | None, thresholds: Mapping[str, float]) -> bool:
    """False for a metric that was not measured, or has no threshold."""
    if value is None or name not in thresholds:
        return False
    return value < thresholds[name] if name in AT_LEAST else value > thresholds[name]


def _distinct(value: float, limit: float) -> str:
    """Three decimals, or as many as the two need to differ."""
    return next((text for digits in range(3, 9) if float(text := f"{value:.{digits}f}") != limit), f"{value:g}")
