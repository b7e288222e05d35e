"""The runs as users see them: a line each, all of one, and the differences between two. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError
from toolkit.core.links import target_name
from toolkit.core.suggestion import suggestion
from toolkit.runs.layout import LATEST, output_option, resume_command
from toolkit.runs.own_comparison import STALE, OwnComparison, own_comparison
from toolkit.runs.record import FINISHED, INTERRUPTED, RUNNING
from toolkit.runs.run import DIED, Run, read_run, run_folders

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
    `stale`: there is a report, but of an adapter that the run had before, so that the run is not compared now.
    `own_limits`: the verdict was reached with limits that the user gave, such as with --threshold.
    `next`: the command that continues an interrupted run, or compares a stale one again; empty if none is needed.
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
    stale: bool = False
    own_limits: bool = False
    next: str = ""


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
    record, status, own = run.record, run.status, own_comparison(run)
    comparison = own.record
    return Summary(
        run_id=run.run_id,
        status=status,
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
        stale=own.fault == STALE,
        own_limits=bool(limits_of(own)),
        next=next_command(run, own),
    )


def limits_of(own: OwnComparison) -> Mapping[str, float]:
    """The user's own limits that the verdict was reached with; empty for none, and for a report of an older version."""
    options = None if own.record is None else own.record.options
    return {} if options is None else options.own_limits


def next_command(run: Run, own: OwnComparison) -> str:
    """What continues an unfinished run, or compares one whose report is not its own; empty if neither is needed."""
    if is_resumable(run):
        return resume_command(run.folder)
    if run.status in {INTERRUPTED, DIED}:  # before there was a checkpoint
        return run.record.command
    return suggestion("compare", run.run_id, *output_option(run.folder.parent)) if own.fault else ""


def is_resumable(run: Run) -> bool:
    """Whether a checkpoint was saved, and nobody works on the run."""
    return run.status not in {FINISHED, RUNNING} and bool(run.checkpoints)


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
    """All of the record, its status as of now, its own comparison's verdict and figures, and what to do next."""
    own = own_comparison(run)
    comparison = own.record
    compared = {} if comparison is None else {
        "verdict": comparison.verdict.to_dict(),
        "metrics": {name: metric.to_dict() for name, metric in comparison.figures.items()},
        "own_limits": dict(limits_of(own)),
    }  # fmt: skip
    now = {"status": run.status, "stale": own.fault == STALE, "next": next_command(run, own)}
    return run.record.to_dict() | now | compared


def differences(first: Run, second: Run) -> list[Difference]:
    """Settings, data, versions, hardware and metrics that are not the same in both."""
    one, other = (flat(_comparable(run), without=TRIVIAL) for run in (first, second))
    return [
        Difference(name=name, first=one.get(name), second=other.get(name))
        for name in [*one, *(name for name in other if name not in one)]
        if one.get(name) != other.get(name)
    ]


def _comparable(run: Run) -> dict[str, Any]:
    comparison = own_comparison(run).record
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
