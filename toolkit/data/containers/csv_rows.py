"""Parses CSV as pandas, Excel and people write it into records. Pure."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from toolkit.core.errors import DataError
from toolkit.data.records import Record, Remark, RowFault

DELIMITERS = (",", ";", "\t", "|")
NO_VALUE = frozenset({"nan", "NaN", "None", "NULL", "null", "<NA>", "#N/A"})  # what programs write into empty cells
EXCEL_HINT = "sep="  # a first line that names the delimiter
# A table that is drawn: below its header is a line of dashes, such as | --- | :---: | or ----+----.
BAR, ESCAPED_BAR = "|", r"\|"
RULE = re.compile(r"[ \t]*:?-{3,}:?[ \t\r]*")
DRAWN_RULE = r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:[|+][ \t]*:?-+:?[ \t]*)*\|?[ \t\r]*"
DRAWN = re.compile(rf"[^\n]*\n{DRAWN_RULE}(?:\n|$)")
CELL_END = re.compile(r"(?<!\\)\|")
LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)

Line = tuple[int, list[str]]  # the number of the line on which a record begins, and its cells


def csv_records(path: Path, text: str) -> tuple[list[Record], tuple[Remark, ...]]:
    """The records by header, and sentences on how they were read. Raises DataError for an unusable file."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    start = len(text) - len(text.lstrip("\r\n"))
    first, _, _ = text[start:].partition("\n")
    skipped = text.count("\n", 0, start)
    if first.lower().startswith(EXCEL_HINT) and len(first.strip()) == len(EXCEL_HINT) + 1:
        delimiter, start, skipped = first.strip()[-1], start + len(first) + 1, skipped + 1
    else:
        delimiter = max(DELIMITERS, key=_outside_quotes(first).count)  # of several, the first
    table = text[start:]
    drawn = delimiter == BAR and DRAWN.match(table) is not None
    lines = list(_drawn_lines(table, skipped) if drawn else _lines(path, table, delimiter, skipped))
    ruled = drawn or any(all(map(RULE.fullmatch, cells)) for _, cells in lines[1:2])
    lines = lines[:1] + lines[2:] if ruled else lines
    header = [cell.strip() for cell in lines[0][1]] if lines else []
    filled = [line for line in lines[1:] if any(cell.strip() for cell in line[1])]
    used, notes = _named_columns(path, header, filled)
    if blank := len(lines) - 1 - len(filled):
        one = Remark("1 row of empty cells is skipped.")
        notes.append(one if blank == 1 else Remark(f"{blank} rows of empty cells are skipped."))
    if ruled:
        notes.append(Remark("The line of dashes below the header, as in Markdown, is skipped."))
    records = [(number, _record(line, header, used)) for number, line in enumerate(filled, start=1)]
    empty = sum(record[name] in NO_VALUE for _, record in records if isinstance(record, dict) for name in record)
    if empty:
        for _, record in records:
            if isinstance(record, dict):
                record.update({name: "" for name, cell in record.items() if cell in NO_VALUE})
        written = "cell that says" if empty == 1 else "cells that say"
        notes.append(Remark(f"{empty} {written} only nan, None or NULL: read as empty."))
    return list(records), tuple(notes)


def _drawn_lines(text: str, skipped: int) -> Iterator[Line]:
    """Of a table as Markdown, Org and psql draw it, in which a quote is a character like any other."""
    for number, line in enumerate(text.split("\n"), start=skipped + 1):
        if line.strip():
            inner = line.strip().removeprefix(BAR)
            cells = CELL_END.split(inner if inner.endswith(ESCAPED_BAR) else inner.removesuffix(BAR))
            yield number, [LINE_BREAK.sub("\n", cell.strip().replace(ESCAPED_BAR, BAR)) for cell in cells]


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _lines(path: Path, text: str, delimiter: str, skipped: int) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    began = skipped + 1
    try:
        for cells in reader:
            if cells:
                yield began, cells
            began = skipped + reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path} is not valid CSV: {error}, in the row that begins on line {began}.",
                        next="Close every double quote, and double those inside a cell.") from None  # fmt: skip


def _named_columns(path: Path, header: Sequence[str], lines: Sequence[Line]) -> tuple[list[int], list[Remark]]:
    """The positions of the columns to read, and what to say of the others."""
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise DataError(f"The header line of {path} names {twice[0]!r} twice.", next="Give each column its own name.")
    used: list[int] = []
    notes: list[Remark] = []
    for at, name in enumerate(header):
        if name:
            used.append(at)
        elif at == 0 and len(header) > 1:  # pandas.DataFrame.to_csv without index=False
            notes.append(Remark("The first column has no name, as an index of pandas, and is not used."))
        elif any(cell.strip() for _, cells in lines for cell in cells[at : at + 1]):
            raise DataError(f"The header line of {path} has a column without a name.",
                            next="Give each column its own name.")  # fmt: skip
    return used, notes


def _record(line: Line, header: Sequence[str], used: Sequence[int]) -> dict[str, str] | RowFault:
    number, cells = line
    if len(cells) < len(header) or any(cell.strip() for cell in cells[len(header) :]):
        return RowFault(f"{len(cells)} cells where the header has {len(header)} (line {number})",
                        "put cells with commas or line breaks in double quotes")  # fmt: skip
    return {header[at]: cells[at] for at in used}
