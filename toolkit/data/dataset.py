"""Finds a data set and reads it into conversations, with the faults of its rows."""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core.errors import DataError
from toolkit.core.files import data_folder
from toolkit.core.spelling import near_files
from toolkit.core.suggestion import suggestion
from toolkit.data.formats import FORMATS, Format, Message, format_of, messages_of
from toolkit.data.parsing import Record, RowFault, kind_of, read_records

DATA_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv")
SHOWN_BAD_ROWS = 3
MAX_BYTES = 2_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A conversation that ends with the answer: an optional system message, then user and assistant in turn."""

    number: int  # 1-based: the row of a JSON list or CSV, the line of a JSONL file
    messages: tuple[Message, ...]

    @property
    def prompt(self) -> str:
        return self.messages[-2].content

    @property
    def answer(self) -> str:
        return self.messages[-1].content

    @property
    def of_one_turn(self) -> bool:
        """Whether it is one question and its answer, with or without a system message."""
        return len(self.messages) == (2 if self.system is None else 3)

    @property
    def system(self) -> str | None:
        return self.messages[0].content if self.messages[0].role == "system" else None


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRow:
    """A row that cannot be trained on; `why` and `remedy` are phrases without a full stop."""

    number: int
    why: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Dataset:
    path: Path
    format: str  # alpaca | messages | ShareGPT | query/response
    sha256: str  # of the file
    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...]
    container: str = "JSON"  # JSON | JSONL | CSV
    ignored_keys: tuple[str, ...] = ()  # keys that the format does not read

    @property
    def unit(self) -> str:
        """What a row's number counts."""
        return "line" if self.container == "JSONL" else "row"


def find_dataset(name: str) -> Path:
    """The file `name`, or the one of that name in the shipped data folder. Raises DataError."""
    places = list(dict.fromkeys((Path(name), data_folder() / name)))
    try:
        found = next((place for place in places if place.is_file()), None)
        folder = next((place for place in places if place.is_dir()), None)
    except OSError as error:
        raise DataError(f"Cannot look for the data set {name}: {error.strerror}.", next="Name another file.") from None
    if found:
        return found
    if folder:
        raise DataError(f"The data set {folder} is a folder.", next="Name a file in it.")
    looked = " or ".join(str(place) for place in places)
    near = near_files(Path(name), DATA_SUFFIXES, beside=(data_folder(),))
    raise DataError(f"No data set {name}: no file {looked}.{near}", next="Name a .json, .jsonl or .csv file.")


def read_dataset(path: Path) -> Dataset:
    """The rows of a file, and in `.bad` those that cannot be trained on. Raises DataError for an unusable file."""
    data = _read_bytes(path)
    records = read_records(path, data)
    format_ = _one_format(path, records.items, "line" if records.container == "JSONL" else "row")
    rows, bad = _convert(records.items, format_)
    keys = {key: None for _, record in records.items if isinstance(record, dict) for key in record}
    return Dataset(
        path=path,
        format=format_.name,
        sha256=hashlib.sha256(data).hexdigest(),
        rows=tuple(rows),
        bad=tuple(bad),
        container=records.container,
        ignored_keys=tuple(key for key in keys if key not in format_.keys),
    )


def require_sound(dataset: Dataset) -> None:
    """Raises DataError, with the first bad rows, unless every row can be trained on and there is one."""
    if dataset.bad:
        shown = [f"{dataset.unit} {row.number}: {row.why} → {row.remedy}" for row in dataset.bad[:SHOWN_BAD_ROWS]]
        more = len(dataset.bad) - len(shown)
        total = len(dataset.bad) + len(dataset.rows)
        raise DataError(
            f"{len(dataset.bad)} of {total} rows of {dataset.path} cannot be trained on. {'; '.join(shown)}"
            + (f"; and {more} more." if more else "."),
            next=f'See all of them with "{suggestion("check", dataset.path)}".',
        )
    if not dataset.rows:
        raise DataError(f"{dataset.path} has no rows.", next="Add a question with its answer.")


def prompt_key(prompt: str) -> str:
    """Equal for two prompts that differ only in case, width, white space and punctuation.

    Punctuation between digits (3-1, 3.1) and the # of C# are kept: they change the meaning.
    """
    text = "".join(unicodedata.normalize("NFKC", prompt).casefold().split())
    key = "".join(
        character
        for at, character in enumerate(text)
        if not unicodedata.category(character).startswith("P")
        or character == "#"
        or (text[at - 1 : at].isdigit() and text[at + 1 : at + 2].isdigit())
    )
    return key or text


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


def _one_format(path: Path, items: Sequence[Record], unit: str) -> Format:
    first: tuple[int, Format] | None = None
    for number, record in items:
        format_ = format_of(record) if isinstance(record, dict) else None
        if format_ is None:
            continue
        if first is None:
            first = number, format_
        elif first[1] is not format_:
            raise DataError(
                f"{path} mixes formats: {unit} {first[0]} is {first[1].name}, {unit} {number} is {format_.name}.",
                next="Keep one format in a file, and mix files with --mix.",
            )
    if first is None:
        raise _unknown_keys(path, items)
    return first[1]


def _unknown_keys(path: Path, items: Sequence[Record]) -> DataError:
    keys: Any = next((record for _, record in items if isinstance(record, dict)), {})
    shapes = "; ".join(each.shape for each in FORMATS)
    return DataError(f"{path} has no known keys (found: {', '.join(keys) or 'none'}).",
                     next=f"Rename them to one of: {shapes}.")  # fmt: skip


def _convert(items: Sequence[Record], format_: Format) -> tuple[list[Row], list[BadRow]]:
    rows: list[Row] = []
    bad: list[BadRow] = []
    for number, record in items:
        try:
            rows.append(Row(number=number, messages=messages_of(_as_object(record, format_), format_)))
        except RowFault as fault:
            bad.append(BadRow(number=number, why=fault.why, remedy=fault.remedy))
    return rows, bad


def _as_object(record: Any, format_: Format) -> dict[str, Any]:
    if isinstance(record, RowFault):
        raise record
    if not isinstance(record, dict):
        raise RowFault(f"{kind_of(record)}, not an object", "write it as an object, or delete it")
    if format_of(record) is None:
        raise RowFault(f"no known keys (found: {', '.join(record) or 'none'})", f"give it the keys {format_.shape}")
    return record
