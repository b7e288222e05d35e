"""Records become rows: of one format in a file, many of them in copies of this process."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.core.errors import DataError
from toolkit.core.events import Counted, Listener, Progress, reporting
from toolkit.data.containers.copies import in_copies
from toolkit.data.containers.json_stream import JsonLines
from toolkit.data.containers.stored_rows import RowStore
from toolkit.data.formats import FORMATS, Format, format_of, messages_of, tools_of, unread_keys, with_known_names
from toolkit.data.keys import require_trainable
from toolkit.data.messages import Row, trained_part, unusual_order
from toolkit.data.records import ACCEPTED_FILES, FROM_RAW_TEXT, RAW_TEXT, Doubled, Record, Remark, RowFault, kind_of

JSONL = "JSONL"  # a container
CORPUS_KEYS = {"text", "id", "meta", "source", "url", "title", "date", "timestamp", "lang", "language"}  # of raw text


def unit_of(container: str) -> str:
    """What a row's number counts."""
    return "line" if container == JSONL else "row"


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRow:
    """A row that cannot be trained on; `why` and `remedy` are phrases without a full stop."""

    number: int
    why: str
    remedy: str
    record: Any = None  # as it was parsed; None where it could not be


@dataclass(kw_only=True)
class ReadRows:
    """What is read of the records of a file, which all have this format."""

    format: Format
    store: RowStore = field(default_factory=RowStore)
    bad: list[BadRow] = field(default_factory=list)
    unused: Counter[str] = field(default_factory=Counter)
    shortened: int = 0  # rows that end after their last trained answer
    orders: Counter[str] = field(default_factory=Counter)  # of turns, that are not the usual one

    @property
    def notes(self) -> tuple[Remark, ...]:
        end = "row ends" if self.shortened == 1 else "rows end"
        ended = Remark(f"{self.shortened} {end} at the last answer that is trained. The turns after it change nothing.")
        return (*([ended] if self.shortened else []), *(_ordered(count, name) for name, count in self.orders.items()))

    def add(self, number: int, record: Any) -> None:
        try:
            messages = messages_of(_as_object(record, self.format), self.format)
            trained, tools = trained_part(messages), tools_of(record, messages)
        except RowFault as fault:
            self.bad.append(BadRow(number=number, why=fault.why, remedy=fault.remedy, record=_parsed(record)))
            return
        self.store.append(Row(number=number, messages=trained, tools=tools))
        self.shortened += len(trained) < len(messages)
        if (order := unusual_order(trained)) is not None:
            self.orders[order] += 1
        self.unused.update(unread_keys(record, self.format, messages))

    def extend(self, part: "ReadRows") -> None:
        """With what is read of the records that follow."""
        self.store.extend(part.store)
        self.bad += part.bad
        self.unused.update(part.unused)
        self.shortened += part.shortened
        self.orders.update(part.orders)


def _ordered(rows: int, name: str) -> Remark:
    have = "row has" if rows == 1 else "rows have"
    return Remark(f"{rows} {have} {name}: trained as the chat template renders them.")


def _parsed(record: Any) -> Any:
    return None if isinstance(record, RowFault) else record


def _as_object(record: Any, format_: Format) -> dict[str, Any]:
    _require_object(record)
    if format_of(record) is None:
        require_trainable(record)
        raise RowFault(f"no known keys (found: {', '.join(record) or 'none'})", f"give it the keys {format_.shape}")
    found: dict[str, Any] = record
    return found


def _require_object(record: Any) -> None:
    if isinstance(record, RowFault):
        raise record
    if not isinstance(record, dict):
        raise RowFault(f"{kind_of(record)}, not an object", "write it as an object, or delete it")
    if isinstance(record, Doubled):
        raise record.fault()


def read_rows(path: Path, items: Counted[Record], container: str, listener: Listener) -> ReadRows:
    """What is read of the records, which all have one format. Raises DataError if they mix formats."""
    if isinstance(items, JsonLines) and (read := _in_parts(path, items, container, listener)) is not None:
        return read
    if (read := _read(path, reporting(items, "Rows", listener), container)) is None:
        raise DataError(f"{path} has no rows.", next=ACCEPTED_FILES)
    return read


def _in_parts(path: Path, items: JsonLines, container: str, listener: Listener) -> ReadRows | None:
    """None where not every part has rows of the same format: what to say of them, all of the records have to tell."""
    read: ReadRows | None = None
    done = 0

    def part_of(number: int) -> ReadRows | bool:
        try:
            return _read(path, items.of_part(number), container) or True  # only blank lines
        except DataError:
            return False

    def report(_: ReadRows | bool) -> None:
        nonlocal done
        done += 1
        lines = items.parts[done][1] if done < len(items.parts) else len(items)
        listener(Progress(task="Rows", done=lines, total=len(items)))

    for part in in_copies(part_of, len(items.parts), report):
        if part is True:
            continue
        if part is False or (read is not None and part.format.name != read.format.name):
            return None
        read = read or ReadRows(format=part.format)
        read.extend(part)
    return read


def _read(path: Path, items: Iterable[Record], container: str) -> ReadRows | None:
    """None without any record."""
    before: list[Record] = []  # without any known key
    first, read = 0, None
    for number, given in items:
        record = with_known_names(given)
        format_ = format_of(record) if isinstance(record, dict) else None
        if read is None and format_ is None:
            before.append((number, record))
            continue
        if read is None and format_ is not None:
            first, read = number, ReadRows(format=format_)
            for earlier in before:
                read.add(*earlier)
        assert read is not None
        if format_ is not None and format_ is not read.format:
            unit = unit_of(container)
            raise DataError(
                f"{path} mixes formats: {unit} {first} is {read.format.name}, {unit} {number} is {format_.name}.",
                next="Keep one format in a file, and mix files with --mix.",
            )
        read.add(number, record)
    if read is None and before:
        raise _unreadable(path, before, container)
    return read


def _unreadable(path: Path, items: Sequence[Record], container: str) -> DataError:
    unit = unit_of(container)
    number, first = next((item for item in items if isinstance(item[1], dict)), items[0])
    try:
        _require_object(first)
        require_trainable(first)
    except RowFault as fault:
        return DataError(f"{path}, {unit} {number}: {fault.why}.", next=_sentence(fault.remedy))
    if isinstance(first.get("text"), str) and first.keys() <= CORPUS_KEYS:
        return DataError(f"{path} has no known keys but 'text': {RAW_TEXT}.", next=FROM_RAW_TEXT)
    within = next((key for key, one in first.items() if _is_row(with_known_names(one))), None)
    if within is not None:
        return DataError(f"{path}, {unit} {number}: question and answer are within {within!r}, not keys of the row.",
                         next=f"Write what {within!r} has as keys of the row itself.")  # fmt: skip
    shapes = "; ".join(each.shape for each in FORMATS)
    header = " If that is a row, write a header line above it: question,answer." if container == "CSV" else ""
    return DataError(f"{path} has no known keys (found: {', '.join(first) or 'none'}).",
                     next=f"Rename them to one of: {shapes}.{header}")  # fmt: skip


def _is_row(value: Any) -> bool:
    return isinstance(value, dict) and format_of(value) is not None


def _sentence(phrase: str) -> str:
    return f"{phrase[:1].upper()}{phrase[1:]}."
