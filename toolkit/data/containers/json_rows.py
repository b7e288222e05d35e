"""Parses JSON and JSONL, also as people and programs wrap and print them, into records. Pure."""

import json
import re
from pathlib import Path
from typing import Any

from toolkit.core.errors import DataError
from toolkit.data.formats import format_of
from toolkit.data.records import (
    ACCEPTED_FILES,
    DECODER,
    LONGEST_ROW,
    Record,
    Records,
    Remark,
    RowFault,
    kind_of,
    too_long,
)

CLOSING = ("]", "}")
QUOTES = ("'", "\N{LEFT DOUBLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}")
COMMENTS = ("//", "/*")
WRAPPERS = ("data", "rows", "train", "test", "validation", "examples", "instances", "items", "records", "samples")
BETWEEN = re.compile(r"[\s,]*")


def json_records(path: Path, text: str, *, lines: bool) -> Records:
    """`lines`: by its name the file is JSONL. Raises DataError for an unusable file."""
    first, _, rest = text.strip().partition("\n")
    first_value = value_of(first)
    if text.lstrip()[:1] == "[" and not (rest and as_conversation(first_value) is not first_value):
        return Records(container="JSON", items=_numbered(_json_list(path, text)))
    if rest and isinstance(first_value, dict | list):
        return Records(container="JSONL", items=tuple(_json_lines(path, text)))
    if (whole := first_value if not rest else value_of(text)) is not None:
        return _one_value(path, whole, "JSONL" if lines and not rest else "JSON")
    if (values := _values(text)) is not None:  # objects printed over several lines, one after the other
        return Records(container="JSON", items=_numbered(values))
    if lines:
        return Records(container="JSONL", items=tuple(_json_lines(path, text)))
    raise DataError(f"{path} is {kind_of(_loads(path, text))}, not a list of rows.", next=ACCEPTED_FILES)


def as_conversation(value: Any) -> Any:
    """A row whose messages are this list, if it is a list of messages; else the value itself."""
    if isinstance(value, list) and value and all(isinstance(one, dict) and _is_message(one) for one in value):
        return {"messages": value}
    return value


def _is_message(value: dict[str, Any]) -> bool:
    keys = (("role", "content"), ("role", "tool_calls"), ("from", "value"))
    return any(role in value and text in value for role, text in keys)


def _numbered(rows: list[Any]) -> tuple[Record, ...]:
    return tuple((number, as_conversation(row)) for number, row in enumerate(rows, start=1))


def value_of(text: str) -> Any:
    """The value of a JSON text; None if it is not one."""
    try:
        return DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _values(text: str) -> list[Any] | None:
    """The objects of a text that has nothing else, but for commas between them."""
    values: list[Any] = []
    at = 0
    while (found := BETWEEN.match(text, at)) and (at := found.end()) < len(text):
        try:
            value, at = DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict):
            return None
        values.append(value)
    return values or None


def _one_value(path: Path, value: Any, container: str) -> Records:
    """A file of one object: a row, or rows under one of the keys that programs use for them."""
    if not isinstance(value, dict):
        raise DataError(f"{path} is {kind_of(value)}, not a list of rows.", next=ACCEPTED_FILES)
    wrapped = [key for key in WRAPPERS if isinstance(value.get(key), list) and value[key]] or _only_list(value)
    if len(wrapped) > 1:
        raise DataError(f"{path} has several lists of rows: {', '.join(wrapped)}.",
                        next="Write each of them into a file of its own.")  # fmt: skip
    if wrapped:
        beside = [repr(key) for key in value if key != wrapped[0]]
        remark = Remark(f"Beside the rows in {wrapped[0]!r}, {', '.join(beside)} is not used.")
        return Records(
            container="JSON", items=_numbered(_rows(path, value[wrapped[0]])), notes=(remark,) * bool(beside)
        )
    if _is_table(value):
        raise DataError(f"{path} is a table of columns ({', '.join(value)}), not a list of rows.",
                        next='Write it by rows: in pandas, to_json(…, orient="records", lines=True).')  # fmt: skip
    return Records(container=container, items=((1, value),))


def _only_list(value: dict[str, Any]) -> list[str]:
    """The one key, whatever its name, under which an object that is not a row has objects: its rows."""
    if format_of(value) is not None:
        return []
    lists = [key for key, one in value.items() if isinstance(one, list) and one]
    objects = len(lists) == 1 and all(isinstance(one, dict) and not _is_message(one) for one in value[lists[0]])
    return lists if objects else []


def _is_table(value: dict[str, Any]) -> bool:
    """Whether an object has a list of plain values for each column, or, as pandas writes it, an object."""
    columns = list(value.values())
    if len(columns) < 2:  # noqa: PLR2004  # a question and its answer
        return False
    if all(isinstance(column, dict) and column for column in columns):
        return all(column.keys() == columns[0].keys() for column in columns)
    return all(
        isinstance(column, list) and len(column) == len(columns[0]) and not any(isinstance(one, dict) for one in column)
        for column in columns
    )


def _json_list(path: Path, text: str) -> list[Any]:
    rows = _loads(path, text)
    conversation = as_conversation(rows)
    return [conversation] if conversation is not rows else _rows(path, rows)


def _rows(path: Path, rows: list[Any]) -> list[Any]:
    if rows and not any(isinstance(as_conversation(row), dict) for row in rows):
        raise DataError(f"{path} is a list, but row 1 is {kind_of(rows[0])}, not an object.", next=ACCEPTED_FILES)
    return rows


def _loads(path: Path, text: str) -> Any:
    try:
        return DECODER.decode(text)
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
        value = as_conversation(json_line(line))
        objects += isinstance(value, dict)
        items.append((number, value))
    if items and not objects:
        number, value = items[0]
        why = value.why if isinstance(value, RowFault) else f"{kind_of(value)}, not an object"
        raise DataError(f"{path} has no line that is a JSON object; line {number} is {why}.", next=ACCEPTED_FILES)
    return items


def json_line(line: str) -> Any:
    """The value of a line; a RowFault for one that has none."""
    if len(line) > LONGEST_ROW:
        return too_long(len(line))
    try:
        return DECODER.decode(line)
    except json.JSONDecodeError as error:
        return RowFault(f"not valid JSON: {_lower(error.msg)} (column {error.colno})",
                        "fix it (truncated? one complete object per line), or delete the line")  # fmt: skip
    except (ValueError, RecursionError) as error:
        return RowFault(f"not usable JSON: {_lower(str(error))}", "simplify or delete the line")


def _lower(message: str) -> str:
    return (message[:1].lower() + message[1:]).removesuffix(" starting at").removesuffix(" at")
