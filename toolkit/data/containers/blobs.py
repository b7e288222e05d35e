"""Byte strings: few of them in memory, and many in a temporary file."""

import os
import tempfile
from array import array
from collections.abc import Iterable
from typing import IO, Any, Self

IN_MEMORY_BYTES = 1 << 25
BUFFER_BYTES = 1 << 20


class Blobs:
    """Appended one by one, and read by their positions.

    The file has no name, and is gone with the last of those that have it. A copy by pickle has the contents.
    """

    def __init__(self, most_bytes: int = IN_MEMORY_BYTES) -> None:
        self._most_bytes = most_bytes
        self._in_memory: list[bytes] = []
        self.file: IO[bytes] | None = None
        self._starts, self._sizes = array("Q"), array("Q")  # in the file
        self._end = 0
        self._flushed = True

    @classmethod
    def of_file(cls, file: "IO[bytes]", starts: "array[int]", sizes: "array[int]") -> Self:
        """Those that lie at these places of a file."""
        found = cls()
        found.file, found._starts, found._sizes = file, starts, sizes
        return found

    @property
    def extents(self) -> "tuple[array[int], array[int]]":
        """Where each begins in the file, and its size."""
        return self._starts, self._sizes

    def append(self, content: bytes) -> None:
        self._end += len(content)
        if self.file is None and self._end <= self._most_bytes:
            self._in_memory.append(content)
            return
        if self.file is None:
            self.file, self._end = tempfile.TemporaryFile(buffering=BUFFER_BYTES), 0  # noqa: SIM115
            before, self._in_memory = self._in_memory, []
            for one in [*before, content]:
                self._end += len(one)
                self._write(one)
        else:
            self._write(content)

    def extend(self, blobs: Self) -> None:
        """With all of another's."""
        for at in range(len(blobs)):
            self.append(blobs[at])

    def _write(self, content: bytes) -> None:
        assert self.file is not None
        self.file.write(content)
        self._starts.append(self._end - len(content))
        self._sizes.append(len(content))
        self._flushed = False

    def __len__(self) -> int:
        return len(self._in_memory) if self.file is None else len(self._sizes)

    def __getitem__(self, at: int) -> bytes:
        if self.file is None:
            return self._in_memory[at]
        if not self._flushed:
            self.flush()
        return os.pread(self.file.fileno(), self._sizes[at], self._starts[at])

    def flush(self) -> None:
        """From here on another process that has the file sees all of them."""
        if self.file is not None:
            self.file.flush()
        self._flushed = True

    def chosen(self, positions: Iterable[int]) -> Self:
        """Those at these positions, in this order, of the same file. Nothing can be appended to them."""
        self.flush()
        positions = list(positions)
        if self.file is not None:
            places = (array("Q", [one[at] for at in positions]) for one in self.extents)
            return self.of_file(self.file, *places)
        found = type(self)()
        for at in positions:
            found.append(self._in_memory[at])
        return found

    def __getstate__(self) -> dict[str, Any]:
        self.flush()
        return self.__dict__ if self.file is None else {"copied": [self[at] for at in range(len(self))]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]  # as it was made
        if "copied" not in state:
            self.__dict__.update(state)
        for one in state.get("copied", ()):
            self.append(one)
