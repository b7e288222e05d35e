"""A run's own comparison: of its adapter, as it is now, with the base model that it was trained on. Reads only.

Other sides (`--before`, `--scale`, another `--model`) are experiments beside it: they say nothing of the run's verdict.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolkit.core.errors import ConfigError
from toolkit.core.file_stats import sha256_once
from toolkit.runs.comparison import ComparisonRecord, RecordedModel, RecordedSide, read_comparison
from toolkit.runs.layout import ADAPTER_FILE, COMPARISON
from toolkit.runs.record import FINISHED, RecordedBase
from toolkit.runs.run import Run

BASE = "base"  # a side's kind
Fault = Literal["stale", "other sides"]
STALE, OTHER_SIDES = Fault.__args__  # type: ignore[attr-defined]  # a Literal's values
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.@]+")
LONGEST_NAME = 40  # of a side, in a folder's name
DIGITS = 8  # of the sha256 that tells names apart which look the same in a folder's name


@dataclass(frozen=True, kw_only=True)
class OwnComparison:
    """`record`: None unless there is a report of this run's own; `fault`: why the report that is there is not.

    STALE: it is about another adapter, such as that of an earlier checkpoint. OTHER_SIDES: it compares something else.
    """

    record: ComparisonRecord | None = None
    fault: Fault | None = None


def own_comparison(run: Run) -> OwnComparison:
    """The comparison that the run's verdict is read from."""
    record = read_comparison(run.folder)
    if record is None:
        return OwnComparison()
    fault = fault_of(run, record.before, record.after)
    return OwnComparison(record=record) if fault is None else OwnComparison(fault=fault)


def fault_of(run: Run, before: RecordedSide, after: RecordedSide) -> Fault | None:
    """Why a report on these sides is not the run's own; None for its own."""
    if not are_own_sides(run.record.base_model, before, after):
        return "other sides"
    return None if after.adapter_sha256 is not None and after.adapter_sha256 == _adapter_sha256(run) else "stale"


def are_own_sides(base: RecordedBase, before: RecordedSide, after: RecordedSide) -> bool:
    """Whether an adapter at full strength is compared with the base model `base`; whose adapter, is not looked at."""
    return (
        (before.kind, before.adapter_sha256, before.system) == (BASE, None, None)
        and (after.scale, after.system) == (1, None)
        and _is_base(before.model, base)
        and _is_base(after.model, base)
    )


def comparison_folder(run: Run, before: RecordedSide, after: RecordedSide) -> Path:
    """Where a report on these sides is written: `compare`, or for other sides a folder beside it, the same each time.

    Such as `compare-before-v1-20260101-000000` or `compare-scale-0.5`.
    """
    if are_own_sides(run.record.base_model, before, after):
        return run.folder / COMPARISON
    parts = [COMPARISON]
    if (before.kind, before.scale) != (BASE, 1):
        parts += ["before", _name(before)]
    if after.scale != 1:
        parts += ["scale", f"{after.scale:g}"]
    if not _is_base(after.model, run.record.base_model):
        parts += ["model", _named(after.model.name, after.model.path)]
    return run.folder / "-".join(parts)


def _name(side: RecordedSide) -> str:
    """A run's own name; of what may lie anywhere, or is a text, with digits that tell it from others."""
    if side.kind == "run":
        return NOT_IN_NAMES.sub("-", side.name)
    return _named(side.kind if side.kind == "system" else Path(side.name).name, side.system or side.name)


def _named(name: str, whole: str) -> str:
    short = NOT_IN_NAMES.sub("-", name).strip("-.")[:LONGEST_NAME]
    return f"{short}-{hashlib.sha256(whole.encode()).hexdigest()[:DIGITS]}"


def _is_base(model: RecordedModel, base: RecordedBase) -> bool:
    """By repository and revision where both have them, else by name or path: a base model may have moved.

    Of a name that is a path the last part counts, which is what a published report has of it.
    """
    known = model.to_dict()
    if base.repository and base.revision and known.get("repository") and known.get("revision"):
        return (known["repository"], known["revision"]) == (base.repository, base.revision)
    return Path(model.name).name == Path(base.name).name or model.path == base.path


def _adapter_sha256(run: Run) -> str | None:
    """Of the weights that a comparison would ask now; None without an adapter.

    Of a finished run the recorded digest, without reading the file: whoever uses the adapter compares the two.
    """
    if run.record.status == FINISHED and run.record.adapter is not None:
        return run.record.adapter.sha256
    try:
        return sha256_once(run.adapter / ADAPTER_FILE)
    except (OSError, ConfigError):
        return None
