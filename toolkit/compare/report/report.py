"""A comparison's outcome as one value, and as report.json (schema_version 1). Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.compare.metrics import Flips, Judged, Metric
from toolkit.compare.verdict import Verdict, reach_verdict
from toolkit.runs.layout import REPORT_SCHEMA_VERSION


@dataclass(frozen=True, kw_only=True)
class Report:
    """`before` and `after` say what each side is; `metrics` are over all system prompts, `per_system` for each.

    `systems`: each system prompt with its kind: training, default, none, unrelated or given. `flips` are the first's.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    verdict: Verdict
    thresholds: Mapping[str, float]
    metrics: Mapping[str, Metric]
    per_system: Mapping[str, Mapping[str, Metric]]
    flips: Mapping[str, Flips]
    systems: Mapping[str, str]
    judged: Sequence[Judged]
    probes: Mapping[str, Any]
    timings_s: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": REPORT_SCHEMA_VERSION,
            "before": dict(self.before),
            "after": dict(self.after),
            "verdict": self.verdict.to_dict(),
            "thresholds": dict(self.thresholds),
            "metrics": {name: metric.to_dict() for name, metric in self.metrics.items()},
            "per_system": {
                system: {name: metric.to_dict() for name, metric in metrics.items()}
                for system, metrics in self.per_system.items()
            },
            "flips": {name: flips.to_dict() for name, flips in self.flips.items()},
            "systems": [{"system": system, "kind": kind} for system, kind in self.systems.items()],
            "probe_file": dict(self.probes),
            "probes": [_probe(one) for one in self.judged],
            "timings_s": dict(self.timings_s),
        }


def _probe(one: Judged) -> dict[str, Any]:
    return {
        "id": one.probe.id,
        "group": one.probe.group,
        "system": one.system,
        "prompt": one.probe.prompt,
        "expect": one.probe.expect.to_dict() if one.probe.expect else None,
        "before": one.before,
        "after": one.after,
        "passed_before": one.passed_before,
        "passed": one.passed,
        "changed": one.changed,
        "leaked": one.leaked,
        "residual": one.residual,
    }


def _report(content: Mapping[str, Any]) -> Report:
    per_system = {system: _metrics(metrics) for system, metrics in content["per_system"].items()}
    thresholds = {name: float(value) for name, value in content["thresholds"].items()}
    verdict = content["verdict"]
    return Report(
        before=content["before"],
        after=content["after"],
        verdict=Verdict(
            took=bool(verdict["took"]),
            kept=bool(verdict["kept"]),
            shortfalls=reach_verdict(per_system, thresholds).shortfalls,
        ),
        thresholds=thresholds,
        metrics=_metrics(content["metrics"]),
        per_system=per_system,
        flips={name: Flips(**flips) for name, flips in content["flips"].items()},
        systems={one["system"]: one["kind"] for one in content["systems"]},
        judged=(),
        probes=content["probe_file"],
        timings_s=content["timings_s"],
    )


def _metrics(content: Mapping[str, Mapping[str, Any]]) -> dict[str, Metric]:
    return {name: Metric(**metric) for name, metric in content.items()}
