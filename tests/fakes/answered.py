"""Small comparisons for tests: probes, judged answers and a report, all made by hand."""

from itertools import count
from pathlib import Path

from toolkit.compare.metrics import Judged, flips, judge, measure
from toolkit.compare.questions import kind
from toolkit.compare.report.report import Report
from toolkit.compare.verdict import reach_verdict
from toolkit.data.probes import DEFAULT_THRESHOLDS, OUT_OF_SCOPE, Expectation, Probe, ProbeSet
from toolkit.model.divergence import Drift

SYSTEM = "You are a helpful assistant."
PROBES = ProbeSet(
    path=Path("probes.yaml"), probes=(), new_markers=("Nova", "小明"), old_markers=("Qwen", "通义千问"),
    thresholds=DEFAULT_THRESHOLDS,
)  # fmt: skip
NUMBERS = count()


def answered(
    group: str,
    before: str,
    after: str,
    *,
    prompt: str = "Who?",
    drift: Drift | None = None,
    again: str | None = None,
    system: str = SYSTEM,
    name: str | None = None,
) -> Judged:
    """In scope, an answer must name Nova. Each is a probe of its own, where none is named."""
    expect = None if group == OUT_OF_SCOPE else Expectation(any=("Nova",))
    probe = Probe(id=name or f"{group}-{next(NUMBERS)}", group=group, prompt=prompt, expect=expect)
    return judge(probe, system, before, after, PROBES, drift=drift, again=again)


def report_on(*judged: Judged) -> Report:
    systems = dict.fromkeys(one.system for one in judged)
    per_system = {system: measure([one for one in judged if one.system == system]) for system in systems}
    return Report(
        before={"kind": "base", "name": "micro", "model": {"name": "micro", "revision": None}, "adapter_sha256": None},
        after={
            "kind": "run", "name": "v0-20260101-000000", "model": {"name": "micro", "revision": None},
            "adapter_sha256": "a" * 64,
        },
        verdict=reach_verdict(per_system, DEFAULT_THRESHOLDS),
        thresholds=DEFAULT_THRESHOLDS,
        metrics=measure(judged),
        per_system=per_system,
        flips=flips([one for one in judged if one.system == judged[0].system]),
        systems={system: kind(system, SYSTEM) for system in systems},
        judged=judged,
        probes={"path": "probes.yaml", "sha256": "0" * 64},
        timings_s={"total": 1.0},
    )  # fmt: skip
