"""The runs as users see them: a line each, all of one, and the differences between two. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError
from toolkit.core.links import target_name
from toolkit.runs.comparison import read_comparison
from toolkit.runs.layout import LATEST
from toolkit.runs.run import Run, read_run, run_folders

DAMAGED = "damaged"
# What differs in every two runs and explains nothing.
TRIVIAL = (
    "run_id", "started_at", "finished_at", "command", "timings_s", "peak_memory_bytes", "train.loss", "adapter",
    "resumed_from", "questions.seconds",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One run's line. `age_s`: seconds since its start; `verdict`: None if it was not compared.

    `owner`: whose folder it is, by the system's name; it is in no file, so nobody publishes it with a run.
    `problem`: why the record of a damaged run cannot be read; the other fields are then empty.
    """

    run_id: str
    status: str
    owner: str = ""
    started_at: str | None = None
    data: str = ""
    data_sha256: str | None = None
    rows: int | None = None
    recipe: str = ""
    loss: float | None = None
    verdict: str | None = None
    age_s: float | None = None
    latest: bool = False
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One value that two runs do not share; None for a run without it."""

    name: str
    first: Any
    second: Any


def summaries(output: Path) -> list[Summary]:
    """Every run in `output`, the oldest first; a damaged one does not hide the others."""
    latest = target_name(output / LATEST)
    found = []
    for folder in run_folders(output):
        try:
            found.append(summary(read_run(folder), latest=folder.name == latest))
        except ConfigError as error:
            found.append(Summary(run_id=folder.name, status=DAMAGED, latest=folder.name == latest, problem=error.what))
    return found


def summary(run: Run, *, latest: bool = False) -> Summary:
    record = run.record
    comparison = read_comparison(run.folder)
    return Summary(
        run_id=run.run_id,
        status=run.status,
        owner=_owner(run.folder),
        started_at=record.started_at,
        data_sha256=record.data.sha256,
        data=Path(record.data.path).name,
        rows=record.data.rows,
        recipe=record.recipe.name,
        loss=record.train.last_loss,
        verdict=None if comparison is None else verdict_word(comparison.verdict.to_dict()),
        age_s=(datetime.now(UTC) - record.started).total_seconds(),
        latest=latest,
    )


def _owner(folder: Path) -> str:
    try:
        return folder.owner()
    except KeyError:  # a uid that has no name here, as in a container
        return str(folder.stat().st_uid)


def verdict_word(verdict: Mapping[str, Any]) -> str:
    """Of a report of any version; those before the third outcome have none."""
    if verdict.get("outcome") == "inconclusive":
        return "inconclusive"
    if verdict["passed"]:
        return "passed"
    if verdict["kept"]:
        return "not taken"
    return "moved" if verdict["took"] else "neither"


def verdict_key(verdict: Mapping[str, Any]) -> str:
    """The verdict's name among texts that say it to people."""
    return verdict_word(verdict).replace(" ", "_")


def details(run: Run) -> dict[str, Any]:
    """All of the record, its status as of now, and the comparison's verdict and figures."""
    comparison = read_comparison(run.folder)
    compared = {} if comparison is None else {
        "verdict": comparison.verdict.to_dict(),
        "metrics": {name: metric.to_dict() for name, metric in comparison.figures.items()},
    }  # fmt: skip
    return run.record.to_dict() | {"status": run.status} | compared


def differences(first: Run, second: Run) -> list[Difference]:
    """Settings, data, versions, hardware and metrics that are not the same in both."""
    one, other = (flat(_comparable(run), without=TRIVIAL) for run in (first, second))
    return [
        Difference(name=name, first=one.get(name), second=other.get(name))
        for name in [*one, *(name for name in other if name not in one)]
        if one.get(name) != other.get(name)
    ]


def _comparable(run: Run) -> dict[str, Any]:
    comparison = read_comparison(run.folder)
    verdict = None if comparison is None else verdict_word(comparison.verdict.to_dict())
    metrics = {} if comparison is None else {name: metric.value for name, metric in comparison.figures.items()}
    record = run.record.to_dict() | {"status": run.status, "last_loss": run.record.train.last_loss}
    return record | {"verdict": verdict, "metrics": metrics}


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
