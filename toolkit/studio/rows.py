"""The rows of a data set as texts that can be edited, and every edit with its undo. A file keeps its own format."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from toolkit.core.documents import parse_json, read_text
from toolkit.core.errors import ConfigError, DataError
from toolkit.core.files import write_bytes, write_lock
from toolkit.core.text import UNPRINTABLE, printable
from toolkit.data.formats import ANSWER_KEYS, CONVERSATION_KEYS, INPUT_KEYS, QUESTION_KEYS, SYSTEM_KEYS

# In the order in which a reader meets them.
TEXT_KEYS = (*SYSTEM_KEYS, "instruction", *QUESTION_KEYS, *INPUT_KEYS, "output", *ANSWER_KEYS)
TURN_LISTS = ("messages", *CONVERSATION_KEYS)
TURN_TEXTS = (("role", "content"), ("from", "value"))
QUESTIONS, ANSWERS = ("instruction", *QUESTION_KEYS), ("output", *ANSWER_KEYS)
OPTIONAL = frozenset({*SYSTEM_KEYS, *INPUT_KEYS})  # empty ones say nothing
LINES = (".jsonl", ".ndjson")
MOST_BYTES = 20_000_000
MOST_UNDONE = 100
KEPT = re.compile(r"(\d+)\.before")

Place = tuple[str | int, ...]  # keys and indices into a record


@dataclass(frozen=True, kw_only=True)
class Text:
    """One text of a row: its name for the reader (a key, or who speaks), and where it is in the record."""

    name: str
    place: Place
    text: str


@dataclass(frozen=True, kw_only=True)
class EditableRow:
    """`number`: as the findings count rows; `seen`: a digest of its content, so that no newer edit is overwritten."""

    number: int
    seen: str
    texts: tuple[Text, ...]


@dataclass(frozen=True, kw_only=True)
class RowFile:
    """A JSON list or JSON lines of objects; other files have no rows here. `history`: the folder of earlier states."""

    path: Path
    history: Path

    def rows(self, first: int = 0, most: int | None = None) -> list[EditableRow]:
        """Those from an index on. Raises DataError for a file whose rows cannot be edited one by one."""
        return [
            EditableRow(number=number, seen=_digest(record), texts=tuple(texts_of(record)))
            for number, record in self._records()[first : None if most is None else first + most]
        ]

    def count(self) -> int:
        """Raises DataError, as `rows`."""
        return len(self._records())

    def edit(self, number: int, seen: str, texts: Sequence[str]) -> None:
        """Replaces the texts of a row. Raises DataError, also if the row is not as it was seen."""
        with self._no_other_edit():
            record = self._seen(number, seen)
            found = list(texts_of(record))
            if len(found) != len(texts):
                raise _changed(number)
            for one, text in zip(found, texts, strict=True):
                _put(record, one.place, text)
            self._replace(number, record)

    def delete(self, number: int, seen: str) -> None:
        """Raises DataError, also for the only row: a data set has one."""
        with self._no_other_edit():
            self._seen(number, seen)
            if self.count() == 1:
                raise DataError("This is the only row.", next="Edit it, or add another one first.")
            self._replace(number, None)

    def add(self, question: str, answer: str) -> int:
        """Appends a row of one turn, with the keys that the file's rows have; returns its number. Raises DataError."""
        if not question.strip() or not answer.strip():
            raise DataError("A row needs a question and an answer.", next="Write both.")
        with self._no_other_edit():
            records = self._records()
            record = _like(records[-1][1], question, answer)
            if self._is_lines:
                lines = self._text().rstrip("\n").split("\n")
                self._write("\n".join([*lines, json.dumps(record, ensure_ascii=False)]) + "\n")
                return len(lines) + 1
            self._write_list([*(one for _, one in records), record])
            return records[-1][0] + 1

    def undo(self) -> None:
        """Takes the last edit back. Raises DataError without one, or if the file was changed elsewhere since."""
        with self._no_other_edit():
            states = self._states()
            if not states:
                raise DataError(f"There is nothing to undo in {self.path.name}.", next="Edit a row.")
            before, after = states[-1], states[-1].with_suffix(".after")
            if after.read_text(encoding="ascii") != hashlib.sha256(self.path.read_bytes()).hexdigest():
                raise DataError(
                    f"{self.path.name} was changed outside the studio since its last edit here.",
                    next="Undo would lose that change; correct the rows themselves.",
                )
            write_bytes(self.path, before.read_bytes())
            before.unlink()
            after.unlink()

    @property
    def undoable(self) -> int:
        """How many edits can be taken back."""
        return len(self._states())

    @property
    def _is_lines(self) -> bool:
        return self.path.suffix.lower() in LINES

    def _states(self) -> list[Path]:
        """What the file was before each edit, the last edit last."""
        found = [path for path in self.history.iterdir() if KEPT.fullmatch(path.name)] if self.history.is_dir() else []
        return sorted(found, key=lambda path: int(path.stem))

    def _text(self) -> str:
        try:
            return read_text(self.path, max_bytes=MOST_BYTES)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path.name} cannot be read: {error}.", next="Save it as UTF-8.") from None

    def _records(self) -> tuple[tuple[int, Any], ...]:
        try:
            records = _parsed(self._text(), self._is_lines)
        except ValueError as error:
            raise self._not_editable(str(error)) from None
        if not records or not all(isinstance(record, dict) for _, record in records):
            raise self._not_editable("it is not a list of objects")
        return records

    def _not_editable(self, why: str) -> DataError:
        return DataError(
            f"The rows of {self.path.name} cannot be edited here: {why}.",
            next="Its sound rows can be copied to a file that can.",
        )

    def _seen(self, number: int, seen: str) -> dict[str, Any]:
        record: dict[str, Any] | None = dict(self._records()).get(number)
        if record is None or _digest(record) != seen:
            raise _changed(number)
        return deepcopy(record)

    def _replace(self, number: int, record: dict[str, Any] | None) -> None:
        """With None the row is deleted; what is around it stays as it is."""
        if self._is_lines:
            lines = self._text().split("\n")
            lines[number - 1 : number] = [] if record is None else [json.dumps(record, ensure_ascii=False)]
            self._write("\n".join(lines))
            return
        others = {at: one for at, one in self._records() if at != number}
        if record is not None:
            others[number] = record
        self._write_list([others[at] for at in sorted(others)])

    def _write_list(self, records: Sequence[Any]) -> None:
        self._write(json.dumps(records, ensure_ascii=False, indent=2) + "\n")

    def _write(self, text: str) -> None:
        """Keeps the file as it was, for `undo`."""
        content, states = text.encode(), self._states()
        number = int(states[-1].stem) + 1 if states else 1
        write_bytes(self.history / f"{number}.before", self.path.read_bytes())
        write_bytes(self.history / f"{number}.after", hashlib.sha256(content).hexdigest().encode())
        write_bytes(self.path, content)
        for old in states[: max(0, len(states) + 1 - MOST_UNDONE)]:
            old.unlink()
            old.with_suffix(".after").unlink(missing_ok=True)

    @contextmanager
    def _no_other_edit(self) -> Iterator[None]:
        """Within, edits of other requests wait: each begins from what the last one wrote. Raises ConfigError."""
        try:
            self.history.mkdir(parents=True, exist_ok=True, mode=0o700)
            with write_lock(self.history):
                yield
        except OSError as error:
            raise ConfigError(
                f"{self.path} cannot be written: {error.strerror}.", next="Make it writable, or free some space."
            ) from None


def texts_of(record: Mapping[str, Any]) -> Iterator[Text]:
    """The texts of a record in the order in which a reader meets them: of its keys, then of its turns."""
    for key in TEXT_KEYS:
        if isinstance(record.get(key), str) and (record[key] or key not in OPTIONAL):
            yield Text(name=key, place=(key,), text=record[key])
    for key in TURN_LISTS:
        for at, turn in enumerate(record[key] if isinstance(record.get(key), list) else ()):
            for who, what in TURN_TEXTS:
                if isinstance(turn, dict) and isinstance(turn.get(what), str):
                    yield Text(name=str(turn.get(who, what)), place=(key, at, what), text=turn[what])


@lru_cache(maxsize=4)  # a page is read again whenever something changes
def _parsed(text: str, lines: bool) -> tuple[tuple[int, Any], ...]:
    """Records with their numbers; for reading only."""
    if lines:
        several = enumerate(text.split("\n"), start=1)
        return tuple((number, parse_json(line)) for number, line in several if line.strip())
    found = parse_json(text)
    if not isinstance(found, list):
        raise ValueError("it is not a list of rows")  # noqa: TRY004  # a fault of the file, as the others
    return tuple(enumerate(found, start=1))


def _put(record: Any, place: Place, text: str) -> None:
    for key in place[:-1]:
        record = record[key]
    before = record[place[-1]]
    if text != printable(before):
        for hidden in set(UNPRINTABLE.findall(before)):  # which a page shows as its escape
            text = text.replace(printable(hidden), hidden)
        record[place[-1]] = text


def _like(record: Mapping[str, Any], question: str, answer: str) -> dict[str, Any]:
    """A record of one turn in the manner of another one."""
    for key in TURN_LISTS:
        if isinstance(record.get(key), list) and record[key]:
            sharegpt = "value" in record[key][0]
            who, what = TURN_TEXTS[sharegpt]
            names = ("human", "gpt") if sharegpt else ("user", "assistant")
            return {key: [{who: names[0], what: question}, {who: names[1], what: answer}]}
    question_key = next((key for key in QUESTIONS if key in record), QUESTIONS[0])
    answer_key = next((key for key in ANSWERS if key in record), ANSWERS[0])
    return {question_key: question, answer_key: answer}


def _digest(record: Any) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def _changed(number: int) -> DataError:
    return DataError(
        f"Row {number} was changed in the meantime.", next="The page shows it as it is now: edit that, if need be."
    )
