"""What a data file's parsers return: records, each with its number, and faults of single rows. Pure."""

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NewType, Self

from toolkit.core.events import Counted

ACCEPTED_FILES = "Use a JSON list of objects, JSONL (one object a line), CSV with a header line or Parquet."
MAX_BYTES = 2_000_000_000  # of a file, also unpacked
LONGEST_ROW = 8_000_000  # characters; many times what the longest context holds


RAW_TEXT = (
    "raw text, for continued pre-training: the toolkit trains answers to questions, and text without a question has no "
    "answer whose change could be proved"
)
FROM_RAW_TEXT = (
    "Write rows with a question and an answer from it; toolkit teach --file FILE --rows-only does so for a text of up "
    "to 4000 characters. To pre-train on all of its tokens, use ms-swift itself: swift pt."
)


class RowFault(Exception):  # noqa: N818  # a finding about one row, not a failure
    """Why one row cannot be trained on, and what to do about it: two phrases without a full stop."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy


class Doubled(dict[str, Any]):
    """A JSON object in which `key` appears twice, with two values."""

    key: str

    def fault(self, where: str = "") -> RowFault:
        return RowFault(f"{where} has the key {self.key!r} twice".strip(), "keep one of the two values")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    doubled = next((key for key, one in pairs if value[key] != one), None)
    if doubled is None:
        return value
    marked = Doubled(value)
    marked.key = doubled
    return marked


class WrittenFloat(float):
    """A number of a JSON text with its spelling: 3.50 and 1e5 are not 3.5 and 100000.0 where they are an answer."""

    def __new__(cls, written: str) -> Self:
        found = super().__new__(cls, written)
        found.written = written
        return found

    written: str

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:  # else float's own, without the spelling
        return type(self), (self.written,)


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=WrittenFloat)

Record = tuple[int, Any]  # its number in messages, and the parsed value or a RowFault
# A sentence on how a data set was read, or on what is not used; a type, so that a test finds each for its Chinese.
Remark = NewType("Remark", str)


@dataclass(frozen=True, kw_only=True)
class Records:
    container: str  # JSON | JSONL | CSV | Parquet
    items: Counted[Record]  # of a large file read line by line
    notes: tuple[Remark, ...] = ()  # on what was read otherwise than as it stands


def too_long(characters: int) -> RowFault:
    """The fault of a row with this many characters."""
    return RowFault(f"{characters / 1e6:.0f} million characters, more than any model reads", "split or delete it")


def as_written(value: Any) -> Any:
    """The text of a number, or of true or false, as its file has it; any other value unchanged.

    Answers of data sets are often numbers, and a model can only learn their text. NaN and infinity say nothing.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, WrittenFloat):
        return value.written
    is_number = isinstance(value, int) or (isinstance(value, (float, Decimal)) and math.isfinite(value))
    return str(value) if is_number else value


def kind_of(value: Any) -> str:
    """The name of a JSON value's type in messages; Parquet has dates, times and bytes too."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float | Decimal) else "a value unknown to JSON")
