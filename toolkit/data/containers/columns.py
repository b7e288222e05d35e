"""Columns of a file that are read as other keys, as `--columns` names them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from toolkit.core.errors import ConfigError, DataError
from toolkit.data.formats import known_name
from toolkit.data.records import Doubled, Record, RowFault

UNUSED = "-"  # as the name of a column: it is left out


def parse_columns(text: str) -> dict[str, str]:
    """`question=prompt,notes=-` as a mapping. Raises ConfigError."""
    pairs = [part.partition("=") for part in text.split(",")]
    columns = {name.strip(): key.strip() for name, _, key in pairs}
    if not all(name and key for name, key in columns.items()) or len(columns) < len(pairs):
        raise ConfigError(
            f"{text!r} is not NAME=KEY,NAME=KEY, each name once.",
            next="For example --columns ask=prompt,reply=response; NAME=- leaves a column out.",
        )
    return columns


def renamed(path: Path, items: Sequence[Record], columns: Mapping[str, str]) -> Iterator[Record]:
    """The records with these keys; a RowFault for two that become one. Raises DataError for a missing column."""
    found = {key for _, record in items if isinstance(record, dict) for key in record}
    if missing := [name for name in columns if name not in found]:
        raise DataError(f"{path} has no column {missing[0]!r} (found: {', '.join(sorted(found)) or 'none'}).",
                        next="Name its columns as they are written there.")  # fmt: skip
    for number, record in items:
        if not columns or not isinstance(record, dict) or isinstance(record, Doubled):
            yield number, record
        else:
            kept = {key: value for key, value in record.items() if key not in columns}
            named = {columns[key]: value for key, value in record.items() if columns.get(key, UNUSED) != UNUSED}
            twice = next((name for name in named if known_name(name) in map(known_name, kept)), None)
            yield (
                number,
                RowFault(f"two columns are {twice!r}", f"name one of them {UNUSED!r}") if twice else kept | named,
            )
