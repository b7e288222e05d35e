"""Rows of a large data set: in a temporary file, from which each is read when it is asked for."""

import marshal
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, overload

from toolkit.data.containers.blobs import Blobs
from toolkit.data.messages import Message, Row
from toolkit.data.tools.calls import ToolCall

IN_MEMORY = 100_000  # rows: so many take 0.2 GB of it, and are read again and again in no time


class StoredRows(Sequence[Row]):
    """Read-only."""

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs

    def __len__(self) -> int:
        return len(self.blobs)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> "StoredRows": ...
    def __getitem__(self, at: int | slice) -> "Row | StoredRows":
        if isinstance(at, slice):
            return self.chosen(range(*at.indices(len(self))))
        return _row(self.blobs[at])

    def __iter__(self) -> Iterator[Row]:
        return (self[at] for at in range(len(self)))

    def chosen(self, positions: Iterable[int]) -> "StoredRows":
        """Those at these positions, in this order."""
        return StoredRows(self.blobs.chosen(positions))


class ChangedRows(Sequence[Row]):
    """Rows that are changed as they are read; `change` has to be a function that pickle finds by its name."""

    def __init__(self, rows: Sequence[Row], change: Callable[[Row], Row]) -> None:
        self._rows, self._change = rows, change

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> "ChangedRows": ...
    def __getitem__(self, at: int | slice) -> "Row | ChangedRows":
        return ChangedRows(self._rows[at], self._change) if isinstance(at, slice) else self._change(self._rows[at])

    def __iter__(self) -> Iterator[Row]:
        return map(self._change, self._rows)


class RowStore:
    """Takes rows one by one: the first `most` into memory, and where there are more, all of them into a file."""

    def __init__(self, rows: Iterable[Row] = (), most: int = IN_MEMORY) -> None:
        self._rows: list[Row] = []
        self._blobs: Blobs | None = None
        self._most = most
        for row in rows:
            self.append(row)

    def append(self, row: Row) -> None:
        if self._blobs is None:
            self._rows.append(row)
            if len(self._rows) > self._most:
                self._blobs = Blobs()
                for one in self._rows:
                    self._blobs.append(_blob(one))
                self._rows.clear()
        else:
            self._blobs.append(_blob(row))

    def extend(self, store: "RowStore") -> None:
        """With the rows of another one, after those that are here."""
        rows = store.rows
        if self._blobs is not None and isinstance(rows, StoredRows):
            self._blobs.extend(rows.blobs)
        else:
            for row in rows:
                self.append(row)

    def __getstate__(self) -> dict[str, Any]:
        """As bytes, which another process gets much faster."""
        return self.__dict__ | {"_rows": [], "_blobs": stored(self.rows).blobs}

    @property
    def rows(self) -> Sequence[Row]:
        """All of them."""
        return tuple(self._rows) if self._blobs is None else StoredRows(self._blobs)


def stored(rows: Sequence[Row]) -> StoredRows:
    """The same rows as bytes, which another process gets much faster."""
    if isinstance(rows, StoredRows):
        return rows
    found = Blobs()
    for row in rows:
        found.append(_blob(row))
    return StoredRows(found)


def settled(rows: Sequence[Row]) -> Sequence[Row]:
    """The same rows in memory, if they are few."""
    return tuple(rows) if len(rows) <= IN_MEMORY else rows


def chosen(rows: Sequence[Row], positions: Sequence[int]) -> Sequence[Row]:
    """The rows at these positions, which ascend."""
    if len(positions) == len(rows):
        return rows
    return rows.chosen(positions) if isinstance(rows, StoredRows) else tuple([rows[at] for at in positions])


def _blob(row: Row) -> bytes:
    messages = [
        (one.role, one.content, one.trained, one.thought, tuple([(call.name, call.arguments) for call in one.calls]))
        for one in row.messages
    ]
    return marshal.dumps((row.number, row.tools, messages))


def _row(blob: bytes) -> Row:
    number, tools, messages = marshal.loads(blob)  # noqa: S302  # our own, written by `_blob`
    return Row(number=number, messages=tuple([_message(*one) for one in messages]), tools=tools)


def _message(role: str, content: str, trained: bool, thought: str | None, calls: Sequence[Any]) -> Message:
    made = tuple([ToolCall(name=name, arguments=arguments) for name, arguments in calls])
    return Message(role=role, content=content, trained=trained, thought=thought, calls=made)
