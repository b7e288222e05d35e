"""What was said before a probe's question: pairs of a question and its answer, as alpaca's `history`.

A question without an answer is answered by the side that is asked, so that each side has its own words contradicted.
"""

from collections.abc import Sequence

from toolkit.core.errors import DataError

Turn = tuple[str, str | None]  # a question, and its answer; None: the side's own
History = tuple[Turn, ...]
PAIR = 2


def read_history(value: object, where: str) -> History:
    """From a list of [question, answer] and [question]. Raises DataError."""
    if not isinstance(value, list) or not value:
        raise _fault(where)
    return tuple(_turn(one, where) for one in value)


def history_lists(history: History) -> list[list[str]]:
    """As in a probe file and in report.json."""
    return [[text for text in turn if text is not None] for turn in history]


def history_of(lists: Sequence[Sequence[str]]) -> History:
    """The reverse of `history_lists`, of lists that were checked."""
    return tuple((turn[0], turn[1] if len(turn) == PAIR else None) for turn in lists)


def _turn(value: object, where: str) -> Turn:
    if not isinstance(value, list) or not 1 <= len(value) <= PAIR:
        raise _fault(where)
    if not all(isinstance(text, str) and text.strip() for text in value):
        raise _fault(where)
    return value[0], value[1] if len(value) == PAIR else None


def _fault(where: str) -> DataError:
    return DataError(
        f"{where}: history is not a list of [question, answer] or [question].",
        next="A question without an answer is answered by the model that is asked.",
    )
