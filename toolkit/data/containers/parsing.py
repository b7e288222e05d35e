"""Parses a file's bytes into records: compression, encoding, JSON, JSONL, CSV, Parquet. Linear in their size."""

import gzip
import io
import zlib
from pathlib import Path

from toolkit.core.errors import DataError
from toolkit.data.containers.csv_rows import csv_records
from toolkit.data.containers.json_rows import json_records
from toolkit.data.containers.kinds import not_utf8, reject_other_kinds, reject_wide
from toolkit.data.containers.parquet_file import parquet_records
from toolkit.data.records import ACCEPTED_FILES, FROM_RAW_TEXT, MAX_BYTES, RAW_TEXT, Records

GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
PROSE_SUFFIXES = (".txt", ".md", ".rst")


def read_records(path: Path, data: bytes) -> Records:
    """The records; a row that cannot be parsed is a RowFault among them. Raises DataError for an unusable file."""
    name = path
    if data.startswith(GZIP):
        data, name = _unzipped(path, data), Path(path.stem)
    if data.startswith(PARQUET):
        return _with_rows(path, parquet_records(path, data))
    text = _decode(path, data)
    if not text.strip():
        raise DataError(f"{path} contains only white space.", next=ACCEPTED_FILES)
    return _with_rows(path, _parse(path, name, text))


def _with_rows(path: Path, records: Records) -> Records:
    if not records.items:
        raise DataError(f"{path} has no rows.", next=ACCEPTED_FILES)
    return records


def _unzipped(path: Path, data: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as file:
            found = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged gzip-compressed data: {error}.",
                        next="Copy it again from its source.") from None  # fmt: skip
    if len(found) > MAX_BYTES:
        raise DataError(f"{path} has over {MAX_BYTES / 1e9:.0f} GB when unpacked.", next="Split it.")
    return found


def _decode(path: Path, data: bytes) -> str:
    if not data:
        raise DataError(f"{path} is empty (0 bytes).", next=ACCEPTED_FILES)
    reject_other_kinds(path, data)
    reject_wide(path, data)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(path, data, error) from None


def _parse(path: Path, name: Path, text: str) -> Records:
    """`name`: the file's, without the ending of a compression."""
    suffix = name.suffix.lower()
    if suffix in {".csv", ".tsv"}:
        items, notes = csv_records(path, text)
        return Records(container="CSV", items=tuple(items), notes=notes)
    if suffix in PROSE_SUFFIXES and text.lstrip()[:1] not in {"[", "{"}:
        raise DataError(f"{path} is {RAW_TEXT}.", next=FROM_RAW_TEXT)
    return json_records(path, text, lines=suffix in {".jsonl", ".ndjson"})
