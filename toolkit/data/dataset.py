"""Finds a data set and reads it into conversations, with the faults of its rows."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.core.errors import DataError
from toolkit.core.events import Listener, reporting, silent
from toolkit.core.files import data_folder
from toolkit.core.spelling import near_files
from toolkit.core.text import is_utf8
from toolkit.data.containers.columns import renamed
from toolkit.data.containers.json_stream import json_lines
from toolkit.data.containers.parsing import read_records
from toolkit.data.containers.read_rows import JSONL, BadRow, ReadRows, read_rows, unit_of
from toolkit.data.formats import FORMATS
from toolkit.data.messages import Row
from toolkit.data.records import MAX_BYTES, Records, Remark

__all__ = ["BadRow", "Dataset", "Row", "find_dataset", "hub_dataset", "prompt_key", "read_dataset"]
DATA_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".gz")
# ASCII characters of Unicode's categories P, but for # and those between digits.
ASCII_PUNCTUATION = re.compile(r"(?<![0-9])[!\"%&'()*,\-./:;?@\[\\\]_{}]|[!\"%&'()*,\-./:;?@\[\\\]_{}](?![0-9])")
HUB = "hub"  # the container of a data set that is in no file


@dataclass(frozen=True, kw_only=True)
class Dataset:
    path: Path  # of a hub's data set, its name
    format: str  # alpaca | messages | ShareGPT | query/response
    sha256: str  # of the file; of a hub's rows
    rows: Sequence[Row]  # of a large set in a file
    bad: tuple[BadRow, ...]
    container: str = "JSON"  # JSON | JSONL | CSV | Parquet | hub
    unused: Mapping[str, int] = field(default_factory=dict)  # rows by key that says something and changes nothing
    notes: tuple[Remark, ...] = ()  # on how the file was read
    sampled_from: int | None = None  # so many rows, if these are a sample

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What is in the file and not trained on, and how it was read."""
        return (*(_not_used(key, rows) for key, rows in self.unused.items()), *self.notes)

    @property
    def unit(self) -> str:
        """What a row's number counts."""
        return unit_of(self.container)


def _not_used(key: str, rows: int) -> Remark:
    counted = "row" if rows == 1 else "rows"
    return Remark(f"{key!r} in {rows} {counted} is not used.")


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
    read = read_rows(path, items, records.container, listener)
    return Dataset(
        path=path,
        format=read.format.name,
        sha256=digest,
        rows=read.store.rows,
        bad=tuple(read.bad),
        container=records.container,
        unused=read.unused,
        notes=(*records.notes, *read.notes),
    )


def hub_dataset(records: Iterable[Mapping[str, Any]], name: str, listener: Listener = silent) -> Dataset:
    """A hub's data set: records that each have `messages`. Its digest is that of its rows as JSON lines."""
    read = ReadRows(format=FORMATS[0])
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
