"""Rows encoded by copies of this process, where they are more than one takes at once. What is encoded is the same."""

from collections.abc import Callable, Iterator, Sequence

from toolkit.core.events import Listener, Progress
from toolkit.data.containers.copies import in_copies
from toolkit.data.containers.stored_tokens import StoredTokens
from toolkit.data.dataset import Row
from toolkit.data.encoding import ROWS_AT_ONCE, TOKENS, Encoder

Change = Callable[[Sequence[Row]], Sequence[Row]]


def _unchanged(rows: Sequence[Row]) -> Sequence[Row]:
    return rows


def encoded_parts(
    encoder: Encoder, rows: Sequence[Row], listener: Listener, change: Change = _unchanged
) -> Iterator[StoredTokens]:
    """The tokens of ROWS_AT_ONCE rows at a time, in the rows' order, with an event after each if there are several.

    `change`: what becomes of some of the rows before they are encoded, where they are.
    """
    starts = range(0, len(rows), ROWS_AT_ONCE)
    done = 0

    def encode(part: int) -> StoredTokens:
        return StoredTokens(encoder.encode(list(change(rows[starts[part] : starts[part] + ROWS_AT_ONCE]))))

    def report(_: StoredTokens) -> None:
        nonlocal done
        done = min(done + ROWS_AT_ONCE, len(rows))
        if len(starts) > 1:
            listener(Progress(task=TOKENS, done=done, total=len(rows)))

    yield from in_copies(encode, len(starts), report)
