"""Rows as tokens and labels, as training sees them. Pure values; `toolkit.train.ms_swift` makes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from toolkit.data.messages import Row

ROWS_AT_ONCE = 2048
TOKENS = "Tokens"  # a task
IGNORED = -100  # the label of a token that is not trained on


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """One row: token ids of shape [tokens], and labels of the same shape, IGNORED where nothing is learned."""

    input_ids: Sequence[int]
    labels: Sequence[int]


class Encoder(Protocol):
    """Turns rows into the tokens and labels that training uses.

    `takes_tools`: whether it encodes rows with tools and calls. `thinks`: whether its model writes a thought before an
    answer.
    """

    @property
    def takes_tools(self) -> bool: ...
    @property
    def thinks(self) -> bool: ...

    def encode(self, rows: Sequence[Row], system: str | None = None) -> list[Encoded]: ...

    def decode(self, ids: Sequence[int]) -> str: ...
