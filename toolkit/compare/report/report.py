"""A comparison's outcome as one value, and as report.json and back. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from toolkit.compare.metrics import Flips, Metric, ProbeResult
from toolkit.compare.verdict import Outcome, Verdict, reach_verdict
from toolkit.core.documents import read_regular_json
from toolkit.core.errors import ConfigError
from toolkit.core.suggestion import suggestion
from toolkit.core.text import Thought, short
from toolkit.data.probes import Probe
from toolkit.data.probing.expectation import Expectation, read_calls
from toolkit.data.probing.history import history_lists, history_of
from toolkit.data.tools.calls import json_text
from toolkit.model.divergence import Drift
from toolkit.runs.ability_record import RecordedAbility, RecordedTest
from toolkit.runs.answer_record import RecordedExpectation, RecordedProbe, RecordedThinking, RecordedThought
from toolkit.runs.comparison import (
    METRICS,
    OPTIONAL,
    ComparisonRecord,
    FurtherQuestions,
    LearnedQuestions,
    RecordedFlips,
    RecordedOptions,
    RecordedSide,
    worst,
)
from toolkit.runs.layout import COMPARISON, REPORT, REPORT_SCHEMA_VERSION, output_option
from toolkit.runs.own_comparison import STALE, fault_of
from toolkit.runs.run import Run
from toolkit.runs.scan_record import RecordedScan


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A metric under `system`, the system prompt where it is worst; `system` is None if it was not measured."""

    metric: Metric
    system: str | None

    def to_dict(self) -> dict[str, Any]:
        return self.metric.to_dict() | {"system": self.system}


@dataclass(frozen=True, kw_only=True)
class Report:
    """`before` and `after` describe the sides; `per_system`: the metrics under each system prompt.

    `systems`: each system prompt with its kind: training, default, none, unrelated or given.
    `questions`: what the after side was trained on beside its rows, if it is a run with such questions.
    `further`: what was asked beside the probe file's questions, if anything.
    `ability`: what both sides can do; None in reports of older versions.
    `thinking`: if the base model thinks. `scan`: if it was asked for.
    `test`: scores on rows that were not trained, if there are such rows.
    `options`: how the command was called; None in older reports.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    verdict: Verdict
    thresholds: Mapping[str, float]
    per_system: Mapping[str, Mapping[str, Metric]]
    flips: Mapping[str, Flips]
    systems: Mapping[str, str]
    results: Sequence[ProbeResult]
    probes: Mapping[str, Any]
    timings_s: Mapping[str, float]
    questions: LearnedQuestions | None = None
    further: FurtherQuestions | None = None
    ability: RecordedAbility | None = None
    thinking: RecordedThinking | None = None
    scan: RecordedScan | None = None
    test: RecordedTest | None = None
    options: RecordedOptions | None = None

    @property
    def figures(self) -> dict[str, Figure]:
        """The one figure of each metric, which every view shows: the worst (see `toolkit.runs.comparison`)."""
        found = worst(self.per_system)
        return {
            name: Figure(metric=found[name][1], system=found[name][0])
            if name in found
            else Figure(metric=Metric(value=None, n=0), system=None)
            for name in METRICS
        }

    @property
    def values(self) -> dict[str, float | None]:
        """The figures' values."""
        return {name: figure.metric.value for name, figure in self.figures.items()}

    @property
    def warnings(self) -> list[str]:
        """Of probes whose regular expression took too long on an answer: only where the comparison was just made."""
        untried = {one.probe.id: (one.probe.expect, one.untried) for one in self.results if one.untried}
        return [
            f"Warning: probe {name} counts as not met: "
            f"regex {short(expect.regex or '')!r} cannot be tried on an answer: {why}."
            for name, (expect, why) in untried.items() if expect is not None
        ]  # fmt: skip

    @classmethod
    def from_dict(cls, content: object) -> Self:
        """From report.json of any version. What JSON does not have (the answers in another batch) is None.

        Raises ValueError.
        """
        record = ComparisonRecord.from_dict(content)
        _require_complete(record)
        per_system = {
            system: {
                name: Metric(**_values(metric, "value", "n", "low", "high", "probes", "population"))
                for name, metric in metrics.items()
            }
            | {name: Metric(value=None, n=0) for name in OPTIONAL if name not in metrics}
            for system, metrics in record.per_system.items()
        }
        return cls(
            before=record.before.to_dict(),
            after=record.after.to_dict(),
            verdict=_verdict(record, per_system),
            thresholds=record.thresholds,
            per_system=per_system,
            flips={name: _flips(getattr(record.flips, name)) for name in ("expected", "unmoved")},
            systems={one.system: one.kind for one in record.systems},
            results=[_result(one) for one in record.probes],
            probes=record.probe_file.to_dict(),
            timings_s=record.timings_s,
            questions=record.questions,
            further=record.further,
            ability=record.ability,
            thinking=record.thinking,
            scan=record.scan,
            test=record.test,
            options=record.options,
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": REPORT_SCHEMA_VERSION,
            "before": dict(self.before),
            "after": dict(self.after),
            "verdict": self.verdict.to_dict(),
            "thresholds": dict(self.thresholds),
            "metrics": {name: figure.to_dict() for name, figure in self.figures.items()},
            "per_system": {
                system: {name: metric.to_dict() for name, metric in metrics.items()}
                for system, metrics in self.per_system.items()
            },
            "flips": {name: flips.to_dict() for name, flips in self.flips.items()},
            "systems": [{"system": system, "kind": kind} for system, kind in self.systems.items()],
            "probe_file": dict(self.probes),
            "probes": [_probe(one) for one in self.results],
            "timings_s": dict(self.timings_s),
            "further": None if self.further is None else self.further.to_dict(),
            "questions": None if self.questions is None else self.questions.to_dict(),
            "ability": None if self.ability is None else self.ability.to_dict(),
            "thinking": None if self.thinking is None else self.thinking.to_dict(),
            "scan": None if self.scan is None else self.scan.to_dict(),
            "test": None if self.test is None else self.test.to_dict(),
            "options": None if self.options is None else self.options.to_dict(),
        }


def read_report(run: Run) -> Report:
    """The run's own comparison (see `toolkit.runs.own_comparison`). Raises ConfigError."""
    file = run.folder / COMPARISON / REPORT
    again = suggestion("compare", run.run_id, *output_option(run.folder.parent))
    try:
        report = Report.from_dict(read_regular_json(file))
    except FileNotFoundError:
        raise ConfigError(f"{run.run_id} has not been compared yet.", next=f'Run "{again}" first.') from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read: {error}.", next=f'Write it again: "{again}".') from None
    fault = fault_of(run, RecordedSide.from_dict(report.before), RecordedSide.from_dict(report.after))
    if fault == STALE:
        raise ConfigError(
            f"{run.run_id} has not been compared as it is now: its report is about another adapter.",
            next=f'Run "{again}" first.',
        )
    if fault is not None:
        raise ConfigError(
            f"{run.run_id} has not been compared with its base: its report is on other sides.",
            next=f'Run "{again}" first.',
        )
    return report


def _verdict(record: ComparisonRecord, per_system: Mapping[str, Mapping[str, Metric]]) -> Verdict:
    """As it was reached: reports before schema_version 3 had no third outcome."""
    found = record.verdict
    reached = reach_verdict(
        per_system, record.thresholds, strict=found.strict, ability=record.ability, thinking=record.thinking,
        left=found.probes_left, expected=from_base(record.before.kind, _flips(record.flips.expected)),
    )  # fmt: skip
    if found.outcome is None:
        outcome: Outcome = "passed" if found.passed else "failed"
        return replace(reached, took=found.took, kept=found.kept, outcome=outcome, undecided=(), unmeasured=())
    reached = replace(reached, took=found.took, kept=found.kept, outcome=found.outcome)
    # By the rules of its time: what leaves a verdict open today does not stand under one that passed.
    return replace(reached, undecided=(), unmeasured=()) if found.outcome == "passed" else reached


def from_base(kind: str, expected: Flips) -> Flips | None:
    """What became as expected, for `reach_verdict`: only if the before side is the base model."""
    return expected if kind == "base" else None


def _flips(record: RecordedFlips) -> Flips:
    return Flips(**_values(record, "gained", "lost", "n", "p"))


def _require_complete(record: ComparisonRecord) -> None:
    """Raises ValueError unless the parts of the record name the same metrics and system prompts."""
    for system, metrics in record.per_system.items():
        if missing := sorted({*METRICS, *record.thresholds} - {*OPTIONAL, *metrics}):
            raise ValueError(f"per_system: {missing[0]} is missing")
        if system not in {one.system for one in record.systems}:
            raise ValueError("systems: a system prompt is missing")
    if any(one.system not in record.per_system for one in record.probes):
        raise ValueError("probes: one has a system prompt that was not measured")


def _probe(one: ProbeResult) -> dict[str, Any]:
    return {
        "id": one.probe.id,
        "group": one.probe.group,
        "system": one.system,
        "prompt": one.probe.prompt,
        "history": history_lists(one.probe.history),
        "own_system": one.probe.system,
        "tools": json.loads(one.probe.tools or "[]"),
        "expect": one.probe.expect.to_dict() if one.probe.expect else None,
        "before": one.before,
        "after": one.after,
        "passed_before": one.passed_before,
        "passed": one.passed,
        "changed": one.changed,
        "thought_before": _thought(one.thoughts[0]),
        "thought_after": _thought(one.thoughts[1]),
        "leaked": one.leaked,
        "residual": one.residual,
        "drift": None if one.drift is None else asdict(one.drift),
    }


def _result(one: RecordedProbe) -> ProbeResult:
    expect = None if one.expect is None else _expectation(one.expect)
    return ProbeResult(
        probe=Probe(
            id=one.id,
            group=one.group,
            prompt=one.prompt,
            expect=expect,
            history=history_of(one.history),
            system=one.own_system,
            tools=json_text(list(one.tools)) if one.tools else "",
        ),
        **_values(one, "system", "before", "after", "passed_before", "passed", "leaked", "residual"),
        thoughts=(_thought_of(one.thought_before), _thought_of(one.thought_after)),
        drift=None if one.drift is None else Drift(**_values(one.drift, "kl_sum", "agreeing", "tokens")),
    )


def _thought(thought: Thought | None) -> dict[str, Any] | None:
    return None if thought is None else asdict(thought)


def _thought_of(record: RecordedThought | None) -> Thought | None:
    return None if record is None else Thought(text=record.text, closed=record.closed)


def _expectation(expectation: RecordedExpectation) -> Expectation:
    lists = {name: tuple(getattr(expectation, name)) for name in ("any", "all", "answer", "none", "names")}
    calls = None if expectation.call is None else read_calls(list(map(dict, expectation.call)), "call")
    return Expectation(exact=expectation.exact, regex=expectation.regex, call=calls, **lists)


def _values(part: object, *names: str) -> dict[str, Any]:
    return {name: getattr(part, name) for name in names}
