"""Checks of the rows' text: faults, duplicates, conflicts, placeholders, overlap with probes. Pure."""

from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from toolkit.core.events import REPORTED_ITEMS, Listener, silent
from toolkit.data.containers.copies import rows_in_copies
from toolkit.data.dataset import Dataset, Row, prompt_key
from toolkit.data.keys import weighty
from toolkit.data.messages import uses_tools
from toolkit.data.probes import probes_beside
from toolkit.data.probes_from_rows import UNASKABLE, can_be_asked
from toolkit.data.repeats import HASHES, Repeat, repeats, topic
from toolkit.data.texts.one_row import CHECKS, PLACEHOLDER, Finding, texts_of
from toolkit.data.texts.private_data import PERSONAL, personal_data

__all__ = ["KEYS", "PLACEHOLDER", "TOOLS", "Finding", "bad_rows", "check_rows"]
KEYS, TOOLS = "keys", "tools"  # kinds of findings
TRAINED_GROUP = "trained"  # probes whose prompts are meant to be in the data set
NAMED_ROWS = 5  # of those with personal data


class Probe(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def prompt(self) -> str: ...


def bad_rows(dataset: Dataset) -> Iterator[Finding]:
    """The rows that cannot be read."""
    for bad in dataset.bad:
        yield Finding(level="error", kind="row", row=bad.number, message=bad.why, remedy=bad.remedy)


def check_rows(
    dataset: Dataset, probes: Sequence[Probe], system: str, allow: Collection[str] = (), listener: Listener = silent,
    *, takes_tools: bool = True,
) -> Iterator[Finding]:  # fmt: skip
    """Findings in the order of the checks.

    `system`: the system prompt of rows without one. `allow`: kinds of errors that are only warned of. `takes_tools`:
    whether the base model's chat template has a place for tools and calls.
    """
    yield from bad_rows(dataset)
    yield from () if takes_tools else map(_without_tools, filter(uses_tools, dataset.rows))
    checked = _Checked(probes)
    for part in _checked_parts(dataset.rows, probes, system, listener):
        checked.extend(part)
    yield from (_repeat(dataset.unit, one) for one in repeats(dataset.rows, system, checked.topics))
    for found in (one for findings in checked.findings for one in findings):
        yield replace(found, level="warning") if found.kind in allow else found
    yield from checked.personal.findings(dataset.unit)
    yield from checked.overlap.findings(dataset)
    yield from _unused(dataset)


class _Checked:
    """What is found in rows that are looked at one by one: by each check, and by those that count."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self.topics = array(HASHES)
        self.findings: list[list[Finding]] = [[] for _ in CHECKS]
        self.personal, self.overlap = _Personal(), _ProbeOverlap(probes)

    def add(self, row: Row, system: str) -> None:
        """`system`: the system prompt of a row without its own."""
        self.topics.append(topic(row, system))
        for check, findings in zip(CHECKS, self.findings, strict=True):
            findings.extend(check(row))
        self.personal.add(row)
        self.overlap.add(row)

    def extend(self, part: "_Checked") -> None:
        """With what is found in the rows that follow."""
        self.topics += part.topics
        for findings, more in zip(self.findings, part.findings, strict=True):
            findings.extend(more)
        self.personal.extend(part.personal)
        self.overlap.extend(part.overlap)


def _checked_parts(
    rows: Sequence[Row], probes: Sequence[Probe], system: str, listener: Listener
) -> Iterator[_Checked]:  # fmt: skip
    """REPORTED_ITEMS rows at a time, in their order."""

    def check(part: slice) -> _Checked:
        found = _Checked(probes)
        for row in rows[part]:
            found.add(row, system)
        return found

    return rows_in_copies(check, len(rows), REPORTED_ITEMS, "Checks", listener)


def _unused(dataset: Dataset) -> Iterator[Finding]:
    changing = set(filter(weighty, dataset.unused))
    for key, message in zip([*dataset.unused, *dataset.notes], dataset.remarks, strict=True):
        remedy = "Nothing to do, unless it changes what should be learned"
        yield Finding(
            level="warning" if key in changing else "note",
            kind=KEYS,
            message=message,
            remedy=remedy if key in dataset.unused else "",
        )


def _repeat(unit: str, found: Repeat) -> Finding:
    place = f"{unit} {found.of}"
    message, remedy = f"duplicate of {place}", "delete one; it counts twice in training"
    if found.kind == "near duplicate":
        message = f"differs from {place} in case or spaces only"
    elif found.kind == "conflict":
        message = f"same question as {place}, another answer"
        remedy = "keep the answer you want; the model cannot learn both"
    kind = "conflict" if found.kind == "conflict" else "duplicate"
    return Finding(level="warning", kind=kind, row=found.row, message=message, remedy=remedy)


class _Personal:
    """Personal data, of all rows together."""

    def __init__(self) -> None:
        self._rows: dict[str, list[int]] = {what: [] for what in PERSONAL}

    def add(self, row: Row) -> None:
        for what in personal_data(texts_of(row)):
            self._rows[what].append(row.number)

    def extend(self, part: "_Personal") -> None:
        for what, numbers in part._rows.items():  # noqa: SLF001  # of the same class
            self._rows[what] += numbers

    def findings(self, unit: str) -> Iterator[Finding]:
        """`unit`: what a row's number counts."""
        if any(self._rows.values()):
            counted = [f"{what} in {_numbered(numbers, unit)}" for what, numbers in self._rows.items() if numbers]
            yield Finding(
                level="note",
                kind="personal",
                message=f"There are {', '.join(counted)}.",
                remedy="Nothing to do if they may be learned and shown in reports; else replace them by made-up ones",
            )


def _numbered(numbers: Sequence[int], unit: str) -> str:
    more = ", …" if len(numbers) > NAMED_ROWS else ""
    return f"{len(numbers)} {unit}{'s' * (len(numbers) != 1)} ({', '.join(map(str, numbers[:NAMED_ROWS]))}{more})"


def _without_tools(row: Row) -> Finding:
    return Finding(
        level="error",
        kind=TOOLS,
        row=row.number,
        message="it has tools or calls, and the base model's chat template has no place for them",
        remedy="name a base model that takes tools with --model, such as Qwen2.5-7B-Instruct, or delete the row",
    )


class _ProbeOverlap:
    """Rows that train a probe's prompt: those of probes that are meant to be trained, and others."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = probes
        self._apart = {prompt_key(probe.prompt): probe for probe in probes if probe.group != TRAINED_GROUP}
        self._trained = {prompt_key(probe.prompt) for probe in probes if probe.group == TRAINED_GROUP}
        self._covered: set[str] = set()
        self._found: list[Finding] = []

    def add(self, row: Row) -> None:
        if not self._probes:
            return
        keys = {prompt_key(message.content) for message in row.messages if message.role == "user"}
        self._covered |= keys & self._trained
        for probe in (self._apart[key] for key in sorted(keys & self._apart.keys())):
            self._found.append(Finding(
                level="warning",
                kind="probe",
                row=row.number,
                message=f"its prompt is the {probe.group} probe {probe.id}: a probe that is trained on proves nothing",
                remedy="delete the row, or reword it or the probe",
            ))  # fmt: skip

    def extend(self, part: "_ProbeOverlap") -> None:
        self._covered |= part._covered  # noqa: SLF001  # of the same class
        self._found += part._found  # noqa: SLF001

    def findings(self, dataset: Dataset) -> Iterator[Finding]:
        yield from self._found
        if dataset.rows and not self._probes and not can_be_asked(dataset.rows):
            yield Finding(
                level="warning",
                kind="probe",
                message=UNASKABLE,
                remedy=f"write probes before you train, into {probes_beside(dataset.path).name}",
            )
        if self._trained:
            yield Finding(
                level="note",
                kind="probe",
                message=f"{len(self._covered)} of {len(self._trained)} trained probes are prompts of the data set.",
                remedy="" if self._covered else "Name the probes that belong to this data set with --probes",
            )
