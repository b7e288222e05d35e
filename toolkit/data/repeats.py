"""Finds rows that repeat a question: duplicates, near duplicates, and answers that contradict each other. Pure."""

import re
import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from toolkit.core.text import content_words, normalized, rouge1_recall
from toolkit.data.dataset import Row
from toolkit.data.formats import Message

FREE_WORDS = 30  # two answers this long to one question are two texts, such as stories, unless they are nearly the same
SAME_TEXT = 0.7  # ROUGE-1 recall from which they are
MOST_COMPARED = 20  # answers to one question; of data with more, each is one of many
HASHES = "q"  # of an array: signed, of 64 bits
PARTS = 8
NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
# A word that names something: capitalised, and not the first of a sentence.
NAME = re.compile(r"(?<![.!?。！？\n]\s)(?<![.!?。！？\n])(?<!^)\b(?!I\b)[A-Z][\w'-]*")
NEGATION = re.compile(r"\b(?:no|not|never|none|cannot|without)\b|n['’]t\b|[不没無无非未]", re.IGNORECASE)


class Repeat(NamedTuple):
    row: int
    of: int  # the number of the row that it repeats
    kind: str  # duplicate | near duplicate | conflict


def repeats(rows: Sequence[Row], system: str, topics: "array[int]") -> Iterator[Repeat]:
    """The rows that repeat an earlier one; `system` is the system prompt of rows without their own.

    `topics`: that of each. Only rows whose questions are about the same are compared.
    """
    compared, several = _Compared(), _several(topics)
    for at, one in enumerate(topics):
        if one in several:
            yield from compared.add(rows[at], system)


def topic(row: Row, system: str) -> int:
    """Equal for two rows whose questions may be the same; as good as never for others. Of this process and its copies.

    `system`: as of `repeats`.
    """
    return hash((row.tools, *[_topic(text) for message in _question(row, system) for text in message.texts]))


def _several(topics: "array[int]") -> set[int]:
    """Those of more than one row, found in parts, so that few of the others are in memory at once."""
    found = set[int]()
    for part in range(PARTS):
        seen = set[int]()
        for one in topics:
            if one % PARTS == part:
                (found if one in seen else seen).add(one)
    return found


def _question(row: Row, system: str) -> Sequence[Message]:
    question = row.messages[:-1]
    return question if row.system is not None else (Message(role="system", content=system), *question)


class _Compared:
    """Rows among which one may repeat another."""

    def __init__(self) -> None:
        self._same: dict[tuple[Any, ...], int] = {}
        self._alike: dict[tuple[str, ...], int] = {}
        self._answers_to: dict[tuple[Any, ...], dict[str, int]] = {}

    def add(self, row: Row, system: str) -> Iterator[Repeat]:
        question = _question(row, system)
        answers = self._answers_to.setdefault((row.tools, *map(_as_asked, question)), {})
        exact = (row.tools, question, row.answer)
        key = (row.tools, *(normalized(text) for message in question for text in message.texts), normalized(row.answer))
        if exact in self._same:
            yield Repeat(row.number, self._same[exact], "duplicate")
        elif key in self._alike:
            yield Repeat(row.number, self._alike[key], "near duplicate")
        elif row.answer not in answers and len(answers) < MOST_COMPARED:
            other = next((number for answer, number in answers.items() if not alternatives(answer, row.answer)), None)
            if other is not None:
                yield Repeat(row.number, other, "conflict")
        self._same.setdefault(exact, row.number)
        self._alike.setdefault(key, row.number)
        answers.setdefault(row.answer, row.number)


def _topic(text: str) -> str:
    """Equal wherever `_as_asked` or `normalized` is, and for a few texts more."""
    return normalized(text).rstrip("?.。")


def _as_asked(message: Message) -> tuple[str, ...]:
    """Equal for messages that differ in width, in how much white space is where, and in the mark at their end.

    Case may be what a question is about, and an exclamation mark a factorial.
    """
    texts = (" ".join(unicodedata.normalize("NFKC", text).split()).rstrip(" ?.。") for text in message.texts)
    return (message.role, *texts)


def alternatives(one: str, other: str) -> bool:
    """Whether two answers to one question plainly say the same in other words, or are two free texts."""
    lengths = [len(content_words(text)) for text in (one, other)]
    if min(lengths) >= FREE_WORDS:
        return rouge1_recall(one, other) < SAME_TEXT
    if bool(NEGATION.search(one)) != bool(NEGATION.search(other)):
        return False
    first, second = set(content_words(one)), set(content_words(other))
    numbers = set(NUMBER.findall(one)), set(NUMBER.findall(other))
    names = _names(one), _names(other)
    if numbers[0] != numbers[1] or not (names[0] <= second and names[1] <= first):
        return False
    return first <= second or second <= first or bool(numbers[0] | names[0] | names[1])


def _names(text: str) -> set[str]:
    return {word for name in NAME.findall(text) for word in content_words(name)}
