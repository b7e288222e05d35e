"""Rows as tokens and labels, of which many are in a temporary file: training reads each when its step comes."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from toolkit.core.text import IDS
from toolkit.data.containers.blobs import Blobs
from toolkit.data.encoding import IGNORED, Encoded

UNTRAINED = array(IDS, [IGNORED]).tobytes()  # a label


class StoredTokens(Sequence[Encoded]):
    """Takes rows one by one. `lengths`: of each in tokens. `trained`: whether any of its tokens is trained on."""

    def __init__(self, rows: Iterable[Encoded] = ()) -> None:
        self.lengths, self.trained = array(IDS), bytearray()
        self._blobs = Blobs()
        for row in rows:
            self.append(row)

    def append(self, row: Encoded) -> None:
        ids, labels = array(IDS, row.input_ids), array(IDS, row.labels).tobytes()
        self._blobs.append(ids.tobytes() + labels)
        self.lengths.append(len(ids))
        self.trained.append(labels != UNTRAINED * len(ids))

    def extend(self, rows: "StoredTokens") -> None:
        """With the rows of another store, after those that are here."""
        self._blobs.extend(rows._blobs)  # noqa: SLF001  # of the same class
        self.lengths += rows.lengths
        self.trained += rows.trained

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, at: int) -> Encoded: ...
    @overload
    def __getitem__(self, at: slice) -> "StoredTokens": ...
    def __getitem__(self, at: int | slice) -> "Encoded | StoredTokens":
        if isinstance(at, slice):
            return self.chosen(range(*at.indices(len(self))))
        content = self._blobs[at]
        values = array(IDS, content)
        return Encoded(input_ids=values[: self.lengths[at]], labels=values[self.lengths[at] :])

    def __iter__(self) -> Iterator[Encoded]:
        return (self[at] for at in range(len(self)))

    def chosen(self, positions: Sequence[int]) -> "StoredTokens":
        """Those at these positions, in this order."""
        found = StoredTokens()
        found._blobs = self._blobs.chosen(positions)
        found.lengths = array(IDS, [self.lengths[at] for at in positions])
        found.trained = bytearray(self.trained[at] for at in positions)
        return found
