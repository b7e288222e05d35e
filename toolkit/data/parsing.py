"""Parses a file's bytes into records: encoding, JSON, JSONL, CSV. Pure; linear in the file's size."""

import csv
import io
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core.errors import DataError

GZIP = "gzip-compressed data"
# Files that are passed by mistake, recognised by their first bytes.
OTHER_KINDS = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\x1f\x8b", GZIP),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF"),
)
WIDE_BOMS = (
    (b"\xff\xfe\x00\x00", "UTF-32"), (b"\x00\x00\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"),
)  # fmt: skip
ACCEPTED_FILES = "Use a JSON list of objects, JSONL (one object per line) or CSV with a header line."
LONGEST_ROW = 8_000_000  # characters; many times what the longest context holds
CLOSING = ("]", "}")
QUOTES = ("'", "\N{LEFT DOUBLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}")
COMMENTS = ("//", "/*")
GB2312_SHARE = 0.9  # of the non-ASCII characters: Chinese prose is in GB2312, misread bytes are not


class RowFault(Exception):  # noqa: N818  # a finding about one row, not a failure
    """Why one row cannot be trained on, and what to do about it: two phrases without a full stop."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy


Record = tuple[int, Any]  # its number in messages, and the parsed value or a RowFault


@dataclass(frozen=True, kw_only=True)
class Records:
    container: str  # JSON | JSONL | CSV
    items: tuple[Record, ...]


def read_records(path: Path, data: bytes) -> Records:
    """The records; a row that cannot be parsed is a RowFault among them. Raises DataError for an unusable file."""
    text = _decode(path, data)
    if not text.strip():
        raise DataError(f"{path} contains only white space.", next=ACCEPTED_FILES)
    records = _parse(path, text)
    if not records.items:
        raise DataError(f"{path} has no rows.", next=ACCEPTED_FILES)
    return records


def _decode(path: Path, data: bytes) -> str:
    if not data:
        raise DataError(f"{path} is empty (0 bytes).", next=ACCEPTED_FILES)
    for magic, kind in OTHER_KINDS:
        if data.startswith(magic):
            raise DataError(
                f"{path} looks like {kind}, not a text file.", next=f"{_unpacking(path, kind)} {ACCEPTED_FILES}"
            )
    for bom, encoding in WIDE_BOMS:
        if data.startswith(bom):
            raise DataError(f"{path} is {encoding} (it starts with that byte order mark), not UTF-8.",
                            next=_convert(path, encoding))  # fmt: skip
    _reject_nul(path, data)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, data, error) from None


def _unpacking(path: Path, kind: str) -> str:
    return f"Unpack it: gunzip --keep {shlex.quote(str(path))}." if kind == GZIP else "Unpack or export it."


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


def _parse(path: Path, text: str) -> Records:
    suffix = path.suffix.lower()
    if suffix in {".csv", ".tsv"}:
        return Records(container="CSV", items=tuple(_csv_records(path, text)))
    start = text.lstrip()[:1]
    if start == "[":
        return Records(container="JSON", items=tuple(enumerate(_json_list(path, text), start=1)))
    if start == "{" and (suffix in {".jsonl", ".ndjson"} or _is_json_lines(path, text)):
        return Records(container="JSONL", items=tuple(_json_lines(path, text)))
    if suffix in {".jsonl", ".ndjson"}:
        return Records(container="JSONL", items=tuple(_json_lines(path, text)))
    value = _loads(path, text)
    raise DataError(f"{path} is {kind_of(value)}, not a list of rows.", next=ACCEPTED_FILES)


def _is_json_lines(path: Path, text: str) -> bool:
    """JSONL is sometimes named .json: then an object is followed by something on the next line."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        first = text.strip().split("\n", 1)
        try:
            return len(first) > 1 and isinstance(json.loads(first[0]), dict)
        except (ValueError, RecursionError):
            return False
    keys = ", ".join(map(repr, list(value)[:5]))
    raise DataError(f"{path} is one JSON object (keys: {keys or 'none'}), not a list of rows.",
                    next="Put the rows into a list, [{…}, {…}], or one a line into a .jsonl file.")  # fmt: skip


def _json_list(path: Path, text: str) -> list[Any]:
    rows: list[Any] = _loads(path, text)
    if rows and not any(isinstance(row, dict) for row in rows):
        raise DataError(f"{path} is a list, but row 1 is {kind_of(rows[0])}, not an object.", next=ACCEPTED_FILES)
    return rows


def _loads(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        if _is_cut(text.rstrip(), error):
            raise DataError(f"{path} is not valid JSON: it ends too early ({place}), as a truncated file does.",
                            next="Copy it again from its source, or close what is open there.") from None  # fmt: skip
        if not text[: error.pos].strip():
            begins = text.lstrip()[:20].split("\n")[0]
            remedy = "Remove the comment: JSON has none. " if begins[:2] in COMMENTS else ""
            raise DataError(
                f"{path} is not JSON: it begins with {begins!r}.", next=f"{remedy}{ACCEPTED_FILES}"
            ) from None
        raise DataError(f"{path} is not valid JSON: {_lower(error.msg)} ({place}).",
                        next=_json_remedy(text, error)) from None  # fmt: skip
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not usable JSON: {_lower(str(error))}.", next=ACCEPTED_FILES) from None


def _json_remedy(text: str, error: json.JSONDecodeError) -> str:
    """What to do about the faults of files that people, other languages and word processors write."""
    before, here = text[: error.pos].rstrip(), text[error.pos : error.pos + 2]
    if here[:1] in CLOSING and before.endswith(","):
        return "Remove the comma before that bracket: JSON allows none after the last one."
    if here[:1] == "," and text[error.pos + 1 :].lstrip()[:1] in CLOSING:  # Python 3.13 names the comma itself
        return "Remove that comma: JSON allows none after the last one."
    if here[:1] in QUOTES:
        return 'Use straight double quotes ("), also around keys; in Python, json.dump writes them.'
    if here in COMMENTS or here[:1] == "#":
        return "Remove the comment: JSON has none."
    if error.msg == "Extra data":
        return "Put one object on each line of a .jsonl file, or all of them into one list: [{…}, {…}]."
    return "Fix that place (a comma, a quote, a bracket?)."


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    """Whether the text ends too early: inside a string, or inside an escape or a literal (6 characters)."""
    if error.msg.startswith("Unterminated string") or error.pos >= len(text):
        return True
    return len(text) - error.pos <= len(r"\u0000") and text[-1] not in "]}" and error.msg != "Extra data"


def _json_lines(path: Path, text: str) -> list[Record]:
    # Only \n ends a line: U+2028 and its like may stand inside a JSON string.
    objects = 0
    items: list[Record] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        value = _json_line(line)
        objects += isinstance(value, dict)
        items.append((number, value))
    if items and not objects:
        number, value = items[0]
        why = value.why if isinstance(value, RowFault) else f"{kind_of(value)}, not an object"
        raise DataError(f"{path} has no line that is a JSON object; line {number} is {why}.", next=ACCEPTED_FILES)
    return items


def _json_line(line: str) -> Any:
    if len(line) > LONGEST_ROW:
        return too_long(len(line))
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        return RowFault(f"not valid JSON: {_lower(error.msg)} (column {error.colno})",
                        "fix it (truncated? one complete object per line), or delete the line")  # fmt: skip
    except (ValueError, RecursionError) as error:
        return RowFault(f"not usable JSON: {_lower(str(error))}", "simplify or delete the line")


def _csv_records(path: Path, text: str) -> Iterator[Record]:
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    reader = csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), strict=True)
    try:
        header = _csv_header(path, next(reader))
        for number, cells in enumerate((cells for cells in reader if cells), start=1):
            if len(cells) != len(header):
                yield number, RowFault(f"{len(cells)} cells where the header has {len(header)}",
                                       "put cells with commas or line breaks in double quotes")  # fmt: skip
            else:
                yield number, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataError(f"{path} is not valid CSV near line {reader.line_num}: {error}.",
                        next="Close every double quote, and double those inside a cell.") from None  # fmt: skip


def _csv_header(path: Path, cells: list[str]) -> list[str]:
    header = [cell.strip() for cell in cells]
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        raise DataError(
            f"{path} has no commas in its header line {header[0]!r}.", next="Separate the columns with commas."
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice or not all(header):
        fault = f"names {twice[0]!r} twice" if twice and twice[0] else "has a column without a name"
        raise DataError(f"The header line of {path} {fault}.", next="Give each column its own name.")
    return header


def too_long(characters: int) -> RowFault:
    """The fault of a row with this many characters."""
    return RowFault(f"{characters / 1e6:.0f} million characters, more than any model reads", "split or delete it")


def kind_of(value: Any) -> str:
    """The name of a JSON value's type in messages."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _lower(message: str) -> str:
    return (message[:1].lower() + message[1:]).removesuffix(" starting at").removesuffix(" at")
