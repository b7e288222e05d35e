"""Small comparisons for tests: probes, judged answers and a report, all made by hand."""

from collections.abc import Mapping
from itertools import count
from pathlib import Path

from toolkit.compare.metrics import ProbeResult, flips, judge, measure
from toolkit.compare.questions import kind
from toolkit.compare.report.report import Report
from toolkit.compare.verdict import reach_verdict
from toolkit.data.probes import DEFAULT_THRESHOLDS, OUT_OF_SCOPE, PARAPHRASE, TRAINED, Probe, ProbeSet
from toolkit.data.probing.expectation import Expectation
from toolkit.model.divergence import Drift

SYSTEM = "You are a helpful assistant."
PROBES = ProbeSet(
    path=Path("probes.yaml"), probes=(), new_markers=("Nova", "小明"), old_markers=("Qwen", "通义千问"),
    thresholds=DEFAULT_THRESHOLDS,
)  # fmt: skip
NUMBERS = count()
MODEL = {"name": "micro", "path": "/models/micro", "revision": None}


def answered(
    group: str,
    before: str,
    after: str,
    *,
    prompt: str | None = None,
    drift: Drift | None = None,
    before_again: str | None = None,
    system: str = SYSTEM,
    name: str | None = None,
    tools: str = "",
) -> ProbeResult:
    """In scope, an answer must name Nova. Each is a probe of its own, where none is named."""
    expect = None if group == OUT_OF_SCOPE else Expectation(any=("Nova",))
    name = name or f"{group}-{next(NUMBERS)}"
    probe = Probe(id=name, group=group, prompt=prompt or f"Who? {name}", expect=expect, tools=tools)
    return judge(probe, system, before, after, PROBES, drift=drift, before_again=before_again)


def enough() -> list[ProbeResult]:
    """So many answers, all right, that a verdict passes by its intervals: 40 of each group in scope, 200 out of it."""
    steady = Drift(kl_sum=0.0, agreeing=2, tokens=2)
    inside = [answered(group, "I am Qwen.", "I am Nova.") for group in (TRAINED, PARAPHRASE) for _ in range(40)]
    return [*inside, *(answered(OUT_OF_SCOPE, "Paris.", "Paris.", drift=steady) for _ in range(200))]


def report_on(*results: ProbeResult, strict: bool = False, left: Mapping[str, int] | None = None) -> Report:
    systems = dict.fromkeys(one.system for one in results)
    per_system = {system: measure([one for one in results if one.system == system]) for system in systems}
    found = flips(results)
    return Report(
        before={"kind": "base", "name": "micro", "model": MODEL, "adapter_sha256": None},
        after={
            "kind": "run", "name": "v0-20260101-000000", "model": MODEL,
            "adapter_sha256": "a" * 64,
        },
        verdict=reach_verdict(
            per_system, DEFAULT_THRESHOLDS, strict=strict, left=left, expected=found["expected"]
        ),
        thresholds=DEFAULT_THRESHOLDS,
        per_system=per_system,
        flips=found,
        systems={system: kind(system, SYSTEM) for system in systems},
        results=results,
        probes={"path": "probes.yaml", "sha256": "0" * 64},
        timings_s={"total": 1.0},
    )  # fmt: skip
