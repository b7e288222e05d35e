"""A report's figures as every renderer shows them: two ledgers, the worst system prompt, and words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.compare.decision import DEEP, TOOK_AT_LEAST, Decision, decide
from toolkit.compare.metrics import Flips, Metric, ProbeResult
from toolkit.compare.questions import TRAINING_KIND
from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts, system_name
from toolkit.compare.verdict import AT_LEAST, DECIDED, KEPT, TOOK, TOOK_AT_MOST, misses, thinking_metric
from toolkit.data.probes import DEPTH_METRICS, PARAPHRASE, TRAINED, Probe
from toolkit.data.tools.reading import tool_names
from toolkit.runs.comparison import OPTIONAL

LEDGERS = {
    "took": ("reliability", "generality", *DEEP, "residue"),
    "kept": ("leakage", "kl", "agreement", "locality", "tool_locality", "noise_floor", "length", "repetition"),
}
PER_SYSTEM = ("reliability", "generality", "residue", "leakage", "kl", "agreement", "locality")
TOOK_EVERYWHERE = (*TOOK_AT_LEAST, *TOOK_AT_MOST)  # measured under each system prompt
WRONG = ("failed", "residue", "leaked")
DECISIONS: tuple[Decision, ...] = ("missed", "open", "met")  # the worst first


@dataclass(frozen=True, kw_only=True)
class Line:
    """One metric under the system prompt where it is worst. `limit` None: shown, but not part of the verdict.

    `decision`: of the metric under all system prompts: missed where it is under one, else open where it is.
    """

    name: str
    metric: Metric
    limit: float | None
    missed: bool
    system: str
    decision: Decision | None = None  # None: not judged
    within_phrases: bool = False  # questions in other words are trained ones within a phrase: "Tell me, who are you?"

    @property
    def meaning(self) -> str:
        """The key of what it means, in `Texts`."""
        return f"metric.{self.name}.{'within_phrases' if self.within_phrases else 'meaning'}"

    @property
    def needs(self) -> str:
        return "" if self.limit is None else f"{'≥' if self.name in AT_LEAST else '≤'} {self.limit:g}"


def ledger_lines(report: Report, ledger: str) -> list[Line]:
    """`ledger`: a name in LEDGERS. Of the depth metrics and that of tools, those that the probe file asks for.

    Of base models that think the last line says whether they still do, or no longer.
    """
    names = [name for name in LEDGERS[ledger] if name not in OPTIONAL or report.figures[name].metric.n]
    return [*(_line(report, name) for name in names), *_thinking_line(report, ledger)]


def _thinking_line(report: Report, ledger: str) -> list[Line]:
    one = report.thinking
    if one is None or thinking_metric(one) not in (TOOK if ledger == "took" else KEPT):
        return []
    return [Line(
        name=thinking_metric(one), limit=one.limit_points, system=one.system, missed=one.points > one.limit_points,
        metric=Metric(value=one.points, n=one.n, low=one.low, high=one.high, probes=one.n),
        decision=DECIDED[one.outcome],
    )]  # fmt: skip


def _line(report: Report, name: str) -> Line:
    figure = report.figures[name]
    limit = None if figure.system is None else report.thresholds.get(name)
    return Line(
        decision=None if limit is None else _decision(report, name, limit),
        name=name, metric=figure.metric, limit=limit, system=figure.system or "",
        missed=misses(name, figure.metric.value, report.thresholds),
        within_phrases=name == "generality" and _within_phrases([one.probe for one in report.results]),
    )  # fmt: skip


def _within_phrases(probes: Sequence[Probe]) -> bool:
    """Whether every question in other words has a trained one in it, letter for letter."""
    trained = {one.prompt for one in probes if one.group == TRAINED}
    others = {one.prompt for one in probes if one.group == PARAPHRASE}
    return bool(trained and others) and all(any(one in other for one in trained) for other in others)


def _decision(report: Report, name: str, limit: float) -> Decision:
    measured = [metrics[name] for metrics in report.per_system.values() if metrics[name].value is not None]
    found = {decide(name, metric, limit, at_least=name in AT_LEAST) for metric in measured}
    return next(one for one in DECISIONS if one in found)


def where_it_holds(report: Report, texts: Texts) -> str:
    """The system prompts under which the change holds, in words.

    Empty if one was tried, it holds under none, or what holds does not show a change.
    """
    if any(one.metric == "took" for one in report.verdict.unmeasured):
        return ""
    short = {
        system: any(misses(name, metrics[name].value, report.thresholds) for name in TOOK_EVERYWHERE)
        for system, metrics in report.per_system.items()
        if any(metrics[name].value is not None for name in TOOK_EVERYWHERE)
    }
    if len(short) < 2 or all(short.values()):  # noqa: PLR2004  # with one system prompt there is nothing to compare
        return ""
    if not any(short.values()):
        return texts("system.seems_everywhere" if report.verdict.half("took") == "open" else "system.holds_everywhere")
    if [report.systems.get(system) for system, missing in short.items() if not missing] == [TRAINING_KIND]:
        return texts("system.only_training")
    names = [system_name(system, texts) for system, missing in short.items() if missing]
    return texts("system.holds_not_under", systems=", ".join(names))


def figure(value: float) -> str:
    """Three decimals, or as many as a small number needs."""
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"  # noqa: PLR2004  # 3 decimals


def format_value(metric: Metric, texts: Texts) -> str:
    return texts("ledger.not_measured") if metric.value is None else figure(metric.value)


def interval(metric: Metric) -> str:
    return "" if metric.low is None or metric.high is None else f"{figure(metric.low)} – {figure(metric.high)}"


def describe_flips(flips: Mapping[str, Flips], texts: Texts) -> dict[str, str]:
    """A sentence for each kind of flips with at least one question."""
    return {
        name: texts(f"flips.{name}", gained=one.gained, lost=one.lost, n=one.n, p=f"{one.p:.2g}")
        for name, one in flips.items()
        if one.n
    }


def outcome(one: ProbeResult) -> str:
    """One answer in a word: leaked, residue, passed, failed, moved or same."""
    if one.leaked:
        return "leaked"
    if one.residual:
        return "residue"
    if one.passed is not None:
        return "passed" if one.passed else "failed"
    return "moved" if one.changed else "same"


def earlier(probe: Probe, texts: Texts) -> str:
    """What comes before the probe's question: tools, its own system prompt, what was said. Empty if nothing does."""
    names = tool_names(probe.tools)
    tools = [texts("probe.tools", names=", ".join(names))] if names else []
    system = [] if probe.system is None else [f"{texts('system.one')}{texts('colon')}{probe.system}"]
    turns = [texts("probe.own_answer") if text is None else text for turn in probe.history for text in turn]
    return " ▸ ".join([*tools, *system, *turns])


def prompt_in_context(probe: Probe, texts: Texts) -> str:
    """The question, after what comes before it."""
    before = earlier(probe, texts)
    return f"{before} ▸ {probe.prompt}" if before else probe.prompt


def grouped(results: Sequence[ProbeResult]) -> dict[str, list[ProbeResult]]:
    """The results by group, in the order of their first occurrence."""
    groups: dict[str, list[ProbeResult]] = {}
    for one in results:
        groups.setdefault(one.probe.group, []).append(one)
    return groups


def wrong_first(results: Sequence[ProbeResult], thresholds: Mapping[str, float]) -> list[ProbeResult]:
    """What went wrong, then what changed out of scope, then what went wrong without being judged, then the rest.

    Each in the order asked. Depth groups are judged where a threshold is set.
    """
    unjudged = {group for group, name in DEPTH_METRICS.items() if name not in thresholds}

    def place(one: ProbeResult) -> int:
        if outcome(one) in WRONG:
            return 2 if one.probe.group in unjudged else 0
        return 1 if outcome(one) == "moved" else 3

    return sorted(results, key=place)


def changed_and_wrong(report: Report) -> list[ProbeResult]:
    """What went wrong, and what changed out of scope: what a reader should see first."""
    return [one for one in wrong_first(report.results, report.thresholds) if outcome(one) in (*WRONG, "moved")]


def first_changed(report: Report) -> list[ProbeResult]:
    """The same, each question once: under the first system prompt where it went wrong, or changed."""
    found: dict[str, ProbeResult] = {}
    for one in changed_and_wrong(report):
        found.setdefault(one.probe.id, one)
    return list(found.values())
