"""Parses a file's bytes into records: compression, encoding, JSON, JSONL, CSV, Parquet. Linear in their size."""

import gzip
import io
import shlex
import zlib
from pathlib import Path

from toolkit.core.errors import DataError
from toolkit.data.containers.csv_rows import csv_records
from toolkit.data.containers.json_rows import json_records
from toolkit.data.containers.parquet_file import parquet_records
from toolkit.data.records import ACCEPTED_FILES, FROM_RAW_TEXT, MAX_BYTES, RAW_TEXT, Records

GZIP, PARQUET, ZIP, OLD_EXCEL = b"\x1f\x8b", b"PAR1", b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
EXCEL_PART, EXCEL_SUFFIXES = b"xl/workbook", (".xlsx", ".xlsm")
AS_CSV = 'In Excel, save the sheet as "CSV UTF-8".'
WIDE_BOMS = (
    (b"\xff\xfe\x00\x00", "UTF-32"), (b"\x00\x00\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"),
)  # fmt: skip
PROSE_SUFFIXES = (".txt", ".md", ".rst")
GB2312_SHARE = 0.9  # of the non-ASCII characters: Chinese prose is in GB2312, misread bytes are not


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
    _reject_other_kinds(path, data)
    for bom, encoding in WIDE_BOMS:
        if data.startswith(bom):
            raise DataError(f"{path} is {encoding} (it starts with that byte order mark), not UTF-8.",
                            next=_convert(path, encoding))  # fmt: skip
    _reject_nul(path, data)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, data, error) from None


def _reject_other_kinds(path: Path, data: bytes) -> None:
    """Of files that are passed by mistake, recognised by their first bytes."""
    if data.startswith(OLD_EXCEL) or (data.startswith(ZIP) and (EXCEL_PART in data or path.suffix in EXCEL_SUFFIXES)):
        raise DataError(f"{path} looks like an Excel workbook, not a text file.", next=AS_CSV)
    if data.startswith(ZIP):
        raise DataError(f"{path} looks like a zip archive or an Excel workbook, not a text file.",
                        next=f"Unpack it. {AS_CSV}")  # fmt: skip
    if data.startswith(b"%PDF"):
        raise DataError(f"{path} looks like a PDF, not a text file.", next=ACCEPTED_FILES)


def _reject_nul(path: Path, data: bytes) -> None:
    at = data.find(b"\0")
    if at < 0:
        return
    head = data[:4096]
    if head.count(0) * 4 > len(head):
        encoding = "UTF-16LE" if head[1::2].count(0) > head[::2].count(0) else "UTF-16BE"
        raise DataError(f"{path} looks like UTF-16 without a byte order mark, not UTF-8.",
                        next=_convert(path, encoding))  # fmt: skip
    raise DataError(f"{path} contains a NUL byte ({_place(data, at)}): a damaged or binary file.",
                    next="Restore it from its source, or delete that byte.")  # fmt: skip


def _not_utf8(path: Path, data: bytes, error: UnicodeDecodeError) -> DataError:
    # The error counts positions after a byte order mark; its object is the decoded bytes.
    if error.reason == "unexpected end of data":
        return DataError(f"{path} ends in the middle of a character: it is truncated.",
                         next="Copy it again from its source.")  # fmt: skip
    encoding = _chinese_encoding(data)
    if encoding:
        return DataError(f"{path} is not UTF-8; it looks like {encoding}.", next=_convert(path, encoding))
    place = _place(error.object, error.start)
    return DataError(f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} ({place}).",
                     next="Save it as UTF-8.")  # fmt: skip


def _chinese_encoding(data: bytes) -> str | None:
    for encoding in ("GBK", "GB18030"):
        try:
            beyond_ascii = [character for character in data.decode(encoding) if character > "\x7f"]
        except UnicodeDecodeError:
            continue
        known = "".join(beyond_ascii).encode("gb2312", errors="ignore")
        if len(known) / 2 >= GB2312_SHARE * len(beyond_ascii):
            return encoding
    return None


def _convert(path: Path, encoding: str) -> str:
    target = path.with_name(f"{path.stem}.utf8{path.suffix}")
    return f"Convert it: iconv -f {encoding} -t UTF-8 {shlex.quote(str(path))} > {shlex.quote(str(target))}"


def _place(data: bytes, at: int) -> str:
    lines_before = data.count(b"\n", 0, at)
    column = at - data.rfind(b"\n", 0, at)
    return f"line {lines_before + 1}, byte {column}"


def _parse(path: Path, name: Path, text: str) -> Records:
    """`name`: the file's, without the ending of a compression."""
    suffix = name.suffix.lower()
    if suffix in {".csv", ".tsv"}:
        items, notes = csv_records(path, text)
        return Records(container="CSV", items=tuple(items), notes=notes)
    if suffix in PROSE_SUFFIXES and text.lstrip()[:1] not in {"[", "{"}:
        raise DataError(f"{path} is {RAW_TEXT}.", next=FROM_RAW_TEXT)
    return json_records(path, text, lines=suffix in {".jsonl", ".ndjson"})
