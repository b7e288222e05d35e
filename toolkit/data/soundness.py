"""Which rows of a data set may be trained: all of them, or those without an error, as `check` finds errors."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from toolkit.core.errors import DataError
from toolkit.core.events import Listener, silent
from toolkit.core.suggestion import suggestion
from toolkit.data.containers.stored_rows import chosen
from toolkit.data.dataset import Dataset, Row, read_dataset
from toolkit.data.probes import compared_probes, read_probes
from toolkit.data.records import Remark
from toolkit.data.row_checks import KEYS, PLACEHOLDER, TOOLS, Finding, bad_rows, check_rows

ALLOWED = (PLACEHOLDER,)  # errors of rows that can be trained on as they are
SHOWN_FAULTS = 3


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a data set is read for training.

    `columns`: see `read_dataset`. `skip_bad`: rows with errors are left out; else one of them is an error of the file.
    `allow`: kinds of errors, of ALLOWED, that are only warned of.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    skip_bad: bool = False
    allow: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        return cls(**(dict(value) | {"allow": tuple(value.get("allow", ()))}))

    @property
    def given(self) -> dict[str, Any]:
        """What differs from the default; None for what does not."""
        return {"columns": self.columns or None, "skip_bad": self.skip_bad or None, "allow": self.allow or None}

    def column_option(self) -> list[str]:
        """The columns as options of a command."""
        return ["--columns", ",".join(f"{name}={key}" for name, key in self.columns.items())] if self.columns else []

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"allow": list(self.allow)}


@dataclass(frozen=True, kw_only=True)
class SoundRows:
    """`rows`: to train on. `left_out`: the errors of the others. `remarks`: on what was found besides."""

    dataset: Dataset
    rows: Sequence[Row]
    left_out: tuple[Finding, ...]
    remarks: tuple[Remark, ...]

    def left_out_lines(self) -> list[dict[str, Any]]:
        """A JSON object for each row that is left out: its number, its fault, and what the file has there."""
        faulty = {fault.row for fault in self.left_out}
        records = {bad.number: bad.record for bad in self.dataset.bad}
        records |= {row.number: row.to_dict() for row in (self.dataset.rows if faulty else ()) if row.number in faulty}
        return [
            {"file": str(self.dataset.path), self.dataset.unit: fault.row, "why": fault.message,
             "remedy": fault.remedy, "content": records.get(fault.row or 0)}
            for fault in self.left_out
        ]  # fmt: skip


def read_sound(path: Path, reading: Reading, *, system: str) -> SoundRows:
    """The rows of a file without errors: as `sound_rows`. Raises DataError for a file that cannot be read, too."""
    return sound_rows(read_dataset(path, reading.columns), reading, system=system)


def sound_rows(
    dataset: Dataset, reading: Reading, *, system: str, takes_tools: bool = True, listener: Listener = silent
) -> SoundRows:
    """The rows of a data set without errors. Raises DataError for errors in rows.

    `system`: the system prompt of rows without one. `takes_tools`: see `check_rows`.
    """
    path, probes = dataset.path, compared_probes(dataset.path)
    known = read_probes(probes).probes if probes else ()
    found = list(check_rows(dataset, known, system, reading.allow, listener, takes_tools=takes_tools))
    faults = sorted((one for one in found if one.level == "error"), key=lambda one: one.row or 0)
    faulty = {finding.row for finding in faults}
    rows = dataset.rows
    if faulty:
        rows = chosen(rows, [at for at, row in enumerate(rows) if row.number not in faulty])
    if not reading.skip_bad or not rows:
        require_sound(dataset, faults, reading)
    one = Remark(f"1 of {_total(dataset)} rows has errors and is left out.")
    several = Remark(f"{len(faulty)} of {_total(dataset)} rows have errors and are left out.")
    return SoundRows(dataset=dataset, rows=rows, left_out=tuple(faults), remarks=(
        *(() if not faulty else [one if len(faulty) == 1 else several]),
        *dataset.remarks, *_warnings(path, found, reading),
    ))  # fmt: skip


def require_sound(dataset: Dataset, faults: Sequence[Finding] | None = None, reading: Reading | None = None) -> None:
    """Raises DataError, with the first faults, unless every row can be trained on and there is one.

    `faults`: errors of its rows; None: only those of rows that cannot be read. `reading`: how they are read for
    training; None: for something else.
    """
    faults = list(bad_rows(dataset)) if faults is None else faults
    if faults:
        alike: dict[tuple[str, str], list[int]] = {}
        for one in faults:
            alike.setdefault((one.message, one.remedy), []).append(one.row or 0)
        first = list(alike.items())[:SHOWN_FAULTS]
        shown = [f"{_numbered(dataset.unit, rows)}: {message} → {remedy}" for (message, remedy), rows in first]
        total = _total(dataset)
        more = len(faults) - sum(len(rows) for _, rows in first)
        raise DataError(
            f"{len({one.row for one in faults})} of {total} {'row' if total == 1 else 'rows'} of {dataset.path} "
            "cannot be trained on. " + "; ".join(shown) + (f"; and {more} more." if more else "."),
            next=_ways_on(dataset, faults, reading),
        )
    if not dataset.rows:
        raise DataError(f"{dataset.path} has no rows.", next="Add a question with its answer.")


def _numbered(unit: str, rows: Sequence[int]) -> str:
    """`row 2`, or `rows 2, 3, 5 and 40 more` of those that have the same fault."""
    named = ", ".join(map(str, rows[:SHOWN_FAULTS]))
    more = len(rows) - SHOWN_FAULTS
    return f"{unit}{'s' * (len(rows) > 1)} {named}{f' and {more} more' * (more > 0)}"


def _ways_on(dataset: Dataset, faults: Sequence[Finding], reading: Reading | None) -> str:
    columns = [] if reading is None else reading.column_option()
    alike = " and the same --model" if any(one.kind == TOOLS for one in faults) else ""
    ways = [f'See all of them with "{suggestion("check", dataset.path, *columns)}"{alike}.']
    if reading is not None and not reading.skip_bad:
        ways.append("--skip-bad leaves them out.")
    if reading is not None and (kinds := sorted({one.kind for one in faults} & set(ALLOWED))):
        ways.append(f"--allow {kinds[0]} trains them as they are.")
    return " ".join(ways)


def _total(dataset: Dataset) -> int:
    return len(dataset.rows) + len(dataset.bad)


def _warnings(path: Path, found: Sequence[Finding], reading: Reading) -> list[Remark]:
    """One sentence that counts them. Keys that are not used are among the data set's remarks."""
    kinds = Counter(one.kind for one in found if one.level == "warning" and one.kind != KEYS)
    if not kinds:
        return []
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return [Remark(f'Warnings: {counted}; see them with "{suggestion("check", path, *reading.column_option())}".')]
