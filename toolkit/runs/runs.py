"""What the runs were: a line each, one in full, and what differs between two. Reads only."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolkit.runs.layout import LATEST, REPORT_SCHEMA_VERSION
from toolkit.runs.run import Run, list_runs

# What differs in every two runs and explains nothing.
TRIVIAL = (
    "run_id", "started_at", "finished_at", "command", "timings_s", "peak_memory_bytes", "train.loss", "adapter",
    "resumed_from",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One run's line. `age_s`: seconds since its start; `verdict`: None where it was not compared."""

    run_id: str
    status: str
    data: str
    rows: int
    recipe: str
    loss: float | None
    verdict: str | None
    age_s: float
    latest: bool


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One value that two runs do not share; None where one lacks it."""

    name: str
    first: Any
    second: Any


def summaries(output: Path) -> list[Summary]:
    latest = (output / LATEST).resolve().name if (output / LATEST).is_symlink() else None
    return [summary(run, latest=run.run_id == latest) for run in list_runs(output)]


def summary(run: Run, *, latest: bool = False) -> Summary:
    record = run.record
    loss = record.get("train", {}).get("loss") or [None]
    report = read_report(run)
    started = datetime.fromisoformat(record["started_at"])
    return Summary(
        run_id=run.run_id,
        status=run.status,
        data=Path(record["data"]["path"]).name,
        rows=record["data"]["rows"],
        recipe=record["recipe"]["name"],
        loss=loss[-1],
        verdict=None if report is None else verdict_word(report["verdict"]),
        age_s=(datetime.now(UTC) - started).total_seconds(),
        latest=latest,
    )


def read_report(run: Run) -> dict[str, Any] | None:
    try:
        report = json.loads((run.folder / "compare" / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) and report.get("schema_version") == REPORT_SCHEMA_VERSION else None


def verdict_word(verdict: Mapping[str, Any]) -> str:
    if verdict["passed"]:
        return "passed"
    if verdict["kept"]:
        return "not taken"
    return "moved" if verdict["took"] else "neither"


def details(run: Run) -> dict[str, Any]:
    """The whole record, its status as of now, and the report's verdict and metrics."""
    report = read_report(run)
    compared = {} if report is None else {"verdict": report["verdict"], "metrics": report["metrics"]}
    return run.record | {"status": run.status} | compared


def differences(first: Run, second: Run) -> list[Difference]:
    """Settings, data, versions, hardware and metrics that are not the same in both."""
    one, other = (flat(_comparable(run), without=TRIVIAL) for run in (first, second))
    return [
        Difference(name=name, first=one.get(name), second=other.get(name))
        for name in [*one, *(name for name in other if name not in one)]
        if one.get(name) != other.get(name)
    ]


def _comparable(run: Run) -> dict[str, Any]:
    report = read_report(run)
    metrics = {} if report is None else {name: metric["value"] for name, metric in report["metrics"].items()}
    verdict = None if report is None else verdict_word(report["verdict"])
    loss = run.record.get("train", {}).get("loss") or [None]
    return run.record | {"status": run.status, "last_loss": loss[-1], "verdict": verdict, "metrics": metrics}


def flat(value: Mapping[str, Any], prefix: str = "", *, without: Sequence[str] = ()) -> dict[str, Any]:
    """Nested mappings as dotted names, without those that `without` names."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        name = f"{prefix}{key}"
        if name in without:
            continue
        if isinstance(inner, Mapping):
            found |= flat(inner, f"{name}.", without=without)
        else:
            found[name] = inner
    return found
