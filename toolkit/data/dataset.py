"""Finds a data set and reads it into conversations, with the faults of its rows."""

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.core.errors import DataError
from toolkit.core.events import Counted, Listener, reporting, silent
from toolkit.core.files import data_folder
from toolkit.core.spelling import near_files
from toolkit.core.text import is_utf8
from toolkit.data.containers.columns import renamed
from toolkit.data.containers.json_stream import json_lines
from toolkit.data.containers.parsing import read_records
from toolkit.data.containers.stored_rows import RowStore
from toolkit.data.formats import (
    FORMATS,
    Format,
    format_of,
    messages_of,
    tools_of,
    unread_keys,
    with_known_names,
)
from toolkit.data.keys import require_trainable
from toolkit.data.messages import Row, trained_part, unusual_order
from toolkit.data.records import FROM_RAW_TEXT, MAX_BYTES, RAW_TEXT, Doubled, Record, Records, RowFault, kind_of

__all__ = ["BadRow", "Dataset", "Row", "find_dataset", "hub_dataset", "prompt_key", "read_dataset"]
DATA_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".gz")
CORPUS_KEYS = {"text", "id", "meta", "source", "url", "title", "date", "timestamp", "lang", "language"}  # of raw text
# ASCII characters of Unicode's categories P, but for # and those between digits.
ASCII_PUNCTUATION = re.compile(r"(?<![0-9])[!\"%&'()*,\-./:;?@\[\\\]_{}]|[!\"%&'()*,\-./:;?@\[\\\]_{}](?![0-9])")
HUB, JSONL = "hub", "JSONL"  # containers; the first of a data set that is in no file


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRow:
    """A row that cannot be trained on; `why` and `remedy` are phrases without a full stop."""

    number: int
    why: str
    remedy: str
    record: Any = None  # as it was parsed; None where it could not be


@dataclass(frozen=True, kw_only=True)
class Dataset:
    path: Path  # of a hub's data set, its name
    format: str  # alpaca | messages | ShareGPT | query/response
    sha256: str  # of the file; of a hub's rows
    rows: Sequence[Row]  # of a large set in a file
    bad: tuple[BadRow, ...]
    container: str = "JSON"  # JSON | JSONL | CSV | Parquet | hub
    unused: Mapping[str, int] = field(default_factory=dict)  # rows by key that says something and changes nothing
    notes: tuple[str, ...] = ()  # sentences on how the file was read
    sampled_from: int | None = None  # so many rows, if these are a sample

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is in the file and not trained on, and how it was read: sentences."""
        counted = (f"{key!r} in {rows} row{'s' * (rows != 1)} is not used." for key, rows in self.unused.items())
        return (*counted, *self.notes)

    @property
    def unit(self) -> str:
        """What a row's number counts."""
        return _unit(self.container)


def _unit(container: str) -> str:
    return "line" if container == JSONL else "row"


def places(name: str) -> tuple[Path, ...]:
    """Where a data set of this name is looked for: here, then in the shipped data folder."""
    return tuple(dict.fromkeys((Path(name), data_folder() / name)))


def find_dataset(name: str) -> Path:
    """The file `name`, or the one of that name in the shipped data folder. Raises DataError."""
    try:
        found = next((place for place in places(name) if place.is_file()), None)
        folder = next((place for place in places(name) if place.is_dir()), None)
    except OSError as error:
        raise DataError(f"Cannot look for the data set {name}: {error.strerror}.", next="Name another file.") from None
    if found and not is_utf8(str(found.resolve())):
        raise DataError(
            f"The name {found.resolve()} has bytes that are not UTF-8, as an archive from Windows may bring.",
            next="Rename the file, or the folder that has them.",
        )
    if found:
        return found
    if folder:
        raise DataError(f"The data set {folder} is a folder.", next="Name a file in it.")
    looked = " or ".join(str(place) for place in places(name))
    near = near_files(Path(name), DATA_SUFFIXES, beside=(data_folder(),))
    raise DataError(f"No data set {name}: no file {looked}.{near}", next="Name a .json, .jsonl or .csv file.")


def read_dataset(path: Path, columns: Mapping[str, str] | None = None, listener: Listener = silent) -> Dataset:
    """The rows of a file, and in `.bad` those that cannot be trained on. Raises DataError for an unusable file.

    `columns`: for a column of the file the key that it is read as, or `columns.UNUSED`.
    """
    records, digest = _records(path)
    items = records.items if not columns else list(renamed(path, list(records.items), columns))
    format_, read = _read(path, items, records.container, listener)
    return Dataset(
        path=path,
        format=format_.name,
        sha256=digest,
        rows=read.store.rows,
        bad=tuple(read.bad),
        container=records.container,
        unused=read.unused,
        notes=(*records.notes, *read.notes),
    )


def hub_dataset(records: Iterable[Mapping[str, Any]], name: str, listener: Listener = silent) -> Dataset:
    """A hub's data set: records that each have `messages`. Its digest is that of its rows as JSON lines."""
    read = _Read(format=FORMATS[0])
    for number, record in reporting(list(enumerate(records, start=1)), "Rows", listener):
        read.add(number, record)
    rows = read.store.rows
    lines = (json.dumps([one.to_dict() for one in row.messages], ensure_ascii=False) + "\n" for row in rows)
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "backslashreplace"))
    return Dataset(
        path=Path(name),
        format=FORMATS[0].name,
        sha256=digest.hexdigest(),
        rows=rows,
        bad=tuple(read.bad),
        container=HUB,
        unused=read.unused,
        notes=read.notes,
    )


def prompt_key(prompt: str) -> str:
    """Equal for two prompts that differ only in case, width, white space and punctuation.

    Punctuation between digits (3-1, 3.1) and the # of C# are kept: they change the meaning.
    """
    text = "".join(unicodedata.normalize("NFKC", prompt).casefold().split())
    if text.isascii():  # the same, several times faster
        return ASCII_PUNCTUATION.sub("", text) or text
    key = "".join(
        character
        for at, character in enumerate(text)
        if not unicodedata.category(character).startswith("P")
        or character == "#"
        or (text[at - 1 : at].isdigit() and text[at + 1 : at + 2].isdigit())
    )
    return key or text


def _records(path: Path) -> tuple[Records, str]:
    """Those of a file, and its digest."""
    with suppress(OSError):  # raised again where the file is read at once
        if (lines := json_lines(path)) is not None:
            return Records(container=JSONL, items=lines), lines.sha256
    data = _read_bytes(path)
    return read_records(path, data), hashlib.sha256(data).hexdigest()


def _read_bytes(path: Path) -> bytes:
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise DataError(f"{path} has {size / 1e9:.1f} GB, over {MAX_BYTES / 1e9:.0f} GB.", next="Split it.")
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"No data set {path}: there is no such file.", next="Name an existing file.") from None
    except IsADirectoryError:
        raise DataError(f"The data set {path} is a folder.", next="Name a file in it.") from None
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.", next="Check its permissions.") from None


def _read(path: Path, items: Counted[Record], container: str, listener: Listener) -> tuple[Format, "_Read"]:
    """The format that all of the records have, and what is read of them in it. Raises DataError if they mix formats."""
    before: list[Record] = []  # without any known key
    first, read = 0, None
    for number, given in reporting(items, "Rows", listener):
        record = with_known_names(given)
        format_ = format_of(record) if isinstance(record, dict) else None
        if read is None and format_ is None:
            before.append((number, record))
            continue
        if read is None and format_ is not None:
            first, read = number, _Read(format=format_)
            for earlier in before:
                read.add(*earlier)
        assert read is not None
        if format_ is not None and format_ is not read.format:
            unit = _unit(container)
            raise DataError(
                f"{path} mixes formats: {unit} {first} is {read.format.name}, {unit} {number} is {format_.name}.",
                next="Keep one format in a file, and mix files with --mix.",
            )
        read.add(number, record)
    if read is None:
        raise _unreadable(path, before, container)
    return read.format, read


def _unreadable(path: Path, items: Sequence[Record], container: str) -> DataError:
    unit = _unit(container)
    number, first = next((item for item in items if isinstance(item[1], dict)), items[0])
    try:
        _require_object(first)
        require_trainable(first)
    except RowFault as fault:
        return DataError(f"{path}, {unit} {number}: {fault.why}.", next=_sentence(fault.remedy))
    if isinstance(first.get("text"), str) and first.keys() <= CORPUS_KEYS:
        return DataError(f"{path} has no known keys but 'text': {RAW_TEXT}.", next=FROM_RAW_TEXT)
    shapes = "; ".join(each.shape for each in FORMATS)
    header = " If that is a row, write a header line above it: question,answer." if container == "CSV" else ""
    return DataError(f"{path} has no known keys (found: {', '.join(first) or 'none'}).",
                     next=f"Rename them to one of: {shapes}.{header}")  # fmt: skip


def _sentence(phrase: str) -> str:
    return f"{phrase[:1].upper()}{phrase[1:]}."


@dataclass(kw_only=True)
class _Read:
    """What is read of the records of a file, which all have this format."""

    format: Format
    store: RowStore = field(default_factory=RowStore)
    bad: list[BadRow] = field(default_factory=list)
    unused: Counter[str] = field(default_factory=Counter)
    shortened: int = 0  # rows that end after their last trained answer
    orders: Counter[str] = field(default_factory=Counter)  # of turns, that are not the usual one

    @property
    def notes(self) -> tuple[str, ...]:
        what = f"{self.shortened} row{'s end' if self.shortened != 1 else ' ends'} at the last answer that is trained."
        shortened = [f"{what} The turns after it change nothing."] if self.shortened else []
        orders = ", ".join(
            f"{count} row{'s have' if count != 1 else ' has'} {name}" for name, count in self.orders.items()
        )
        return (*shortened, *([f"{orders}: trained as the chat template renders them."] if orders else []))

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
