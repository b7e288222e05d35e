"""What the data doctor asks of a tokenizer with its chat template; toolkit.swift has the real one. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from toolkit.dataset import Row

NOT_TRAINED_ON = -100


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """One row as tokens; `labels` is as long as `input_ids`, NOT_TRAINED_ON where the loss does not look."""

    input_ids: list[int]
    labels: list[int]


class Encoder(Protocol):
    def encode(self, rows: Sequence[Row], system: str | None) -> list[Encoded]:
        """One for each row, never cut short: a row over the length limit comes back whole.

        `system` serves the rows that have none of their own.
        """
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of the tokens, special tokens included."""
        ...
