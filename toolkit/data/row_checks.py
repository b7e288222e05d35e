"""What can be said of rows by their text alone: faults, repetitions, conflicts, placeholders, overlap. Pure."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from toolkit.data.dataset import Dataset, Row, prompt_key
from toolkit.data.formats import Message
from toolkit.data.placeholders import placeholders

TRAINED_GROUP = "trained"  # the probes that are meant to be trained on
SPECIAL_TOKEN = re.compile(r"<\|[a-z_]+\|>")
REPLACEMENT = "\ufffd"  # what a decoder leaves where it lost a character


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`row` is None for what concerns the whole; the remedy carries no full stop."""

    level: Literal["error", "warning", "note"]
    kind: str  # format | duplicate | conflict | placeholder | probe | length | …
    row: int | None = None
    message: str
    remedy: str = ""


class Probe(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def prompt(self) -> str: ...


def look_at_rows(dataset: Dataset, probes: Sequence[Probe], system: str) -> Iterator[Finding]:
    """`system` serves the rows that have none of their own; findings come in the order of the checks."""
    for bad in dataset.bad:
        yield Finding(level="error", kind="row", row=bad.number, message=bad.why, remedy=bad.remedy)
    yield from _repetitions(dataset, system)
    look: Callable[[Row], Iterator[Finding]]
    for look in (_placeholders, _lost_or_special):
        for row in dataset.rows:
            yield from look(row)
    yield from _probe_overlap(dataset, probes)
    if dataset.ignored_keys:
        yield Finding(
            level="note",
            kind="keys",
            message=f"Keys that the {dataset.format} format does not read: {', '.join(dataset.ignored_keys)}.",
            remedy="Nothing to do, unless one of them is mistyped",
        )


def _repetitions(dataset: Dataset, system: str) -> Iterator[Finding]:
    first_row: dict[tuple[Message, ...], dict[str, int]] = {}
    for row in dataset.rows:
        question = row.messages[:-1]
        if row.system is None:
            question = (Message(role="system", content=system), *question)
        answers = first_row.setdefault(question, {})
        if row.answer in answers:
            yield Finding(
                level="warning",
                kind="duplicate",
                row=row.number,
                message=f"the same as {dataset.unit} {answers[row.answer]}",
                remedy="drop one; it counts twice in training",
            )
        elif answers:
            yield Finding(
                level="warning",
                kind="conflict",
                row=row.number,
                message=f"the question of {dataset.unit} {next(iter(answers.values()))} with another answer",
                remedy="keep the answer that you want; the model cannot learn both",
            )
        answers.setdefault(row.answer, row.number)


def _placeholders(row: Row) -> Iterator[Finding]:
    found = placeholders([message.content for message in row.messages])
    if not found:
        return
    certain = any(each.certain for each in found)
    names = ", ".join(each.text for each in found)
    yield Finding(
        level="error" if certain else "warning",
        kind="placeholder",
        row=row.number,
        message=f"unreplaced placeholder {names}" if certain else f"{names} looks like an unreplaced placeholder",
        remedy="write the real text" if certain else "write the real text, or leave it if it is meant",
    )


def _lost_or_special(row: Row) -> Iterator[Finding]:
    for message in row.messages:
        if found := SPECIAL_TOKEN.search(message.content):
            yield Finding(
                level="warning",
                kind="special-token",
                row=row.number,
                message=f"the {message.role}'s text holds the special token {found[0]}",
                remedy="delete it; the chat template adds its own",
            )
        if REPLACEMENT in message.content:
            yield Finding(
                level="warning",
                kind="lost-character",
                row=row.number,
                message=f"the {message.role}'s text holds U+FFFD, where a conversion lost a character",
                remedy="write the lost character again",
            )


def _probe_overlap(dataset: Dataset, probes: Sequence[Probe]) -> Iterator[Finding]:
    apart = {prompt_key(probe.prompt): probe for probe in probes if probe.group != TRAINED_GROUP}
    trained = {prompt_key(probe.prompt) for probe in probes if probe.group == TRAINED_GROUP}
    asked: set[str] = set()
    for row in dataset.rows:
        keys = {prompt_key(message.content) for message in row.messages if message.role == "user"}
        asked |= keys & trained
        for probe in (apart[key] for key in sorted(keys & apart.keys())):
            yield Finding(
                level="warning",
                kind="probe",
                row=row.number,
                message=f"its prompt is the {probe.group} probe {probe.id}: trained on, that probe proves nothing",
                remedy="drop the row, or reword it or the probe",
            )
    if trained:
        yield Finding(
            level="note",
            kind="probe",
            message=f"{len(asked)} of {len(trained)} trained probes are among the prompts.",
            remedy="" if asked else "Name the probes that belong to this data set with --probes",
        )
