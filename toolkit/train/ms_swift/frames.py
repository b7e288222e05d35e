"""What ms-swift's template puts around the contents of a conversation, learned from the template itself.

Its own encoding takes half a millisecond of Python a row, and one core. Here each shape of a conversation (who speaks
in turn, what is trained) goes through it twice: once with marks for contents, which shows the texts that it encodes and
what of them it trains, and once with the shape's first row, whose tokens and labels must come out the same. Rows of
that shape are then encoded together, on every core. What a frame cannot show is left to ms-swift.
"""

import os
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import Any

from toolkit.data.encoding import IGNORED, Encoded
from toolkit.model.chat_template import ChatTokens
from toolkit.model.conversation import Messages

ROWS_AT_ONCE = 512
OPEN, CLOSE = "\ufdd2", "\ufdd3"  # around a message's number: noncharacters, which texts hardly have
SLOT = re.compile(f"{OPEN}(\\d+){CLOSE}")
ROLES = frozenset({"system", "user", "assistant"})
PARALLEL = "TOKENIZERS_PARALLELISM"
# Contents that ms-swift may change: its placeholders, thoughts, and what `ChatTokens` escapes.
CHANGED = re.compile(r"\{\{|think>|[\ufdd0-\ufdd3]")

OneByOne = Callable[[Messages], tuple[list[int], list[int]]]
Shape = tuple[tuple[str, bool, bool], ...]  # of each message: its role, whether it is trained, whether it has a text


@dataclass(frozen=True, kw_only=True)
class Part:
    """A text that is encoded by itself: pieces as they stand, and the numbers of the messages whose contents follow.

    Of its tokens the first `trained` are trained; None: all of them.
    """

    pieces: tuple[str | int, ...]
    trained: int | None

    def text(self, messages: Messages) -> str:
        return "".join(one if isinstance(one, str) else messages[one]["content"] for one in self.pieces)

    def labels(self, ids: Sequence[int]) -> list[int]:
        trained = len(ids) if self.trained is None else self.trained
        return [*ids[:trained], *[IGNORED] * (len(ids) - trained)]


class Frames:
    """Encodes conversations as `one_by_one`, ms-swift's way, does, many at once. For one template in training mode."""

    def __init__(self, template: Any, tokens: ChatTokens, one_by_one: OneByOne) -> None:
        self._template, self._tokens, self._one_by_one = template, tokens, one_by_one
        stops = [word for word in template.template_meta.stop_words if isinstance(word, str)]
        self._special = re.compile("|".join(map(re.escape, [*template.special_tokens, *stops])) or "(?!)")
        self._known: dict[Shape, tuple[Part, ...] | None] = {}  # None: rows of this shape are encoded one by one

    def encode(self, conversations: Iterable[Messages]) -> Iterator[Encoded]:
        """`conversations`: escaped, each with its system message, if it has any."""
        remaining = iter(conversations)
        while some := list(islice(remaining, ROWS_AT_ONCE)):
            yield from self._together(some)

    def _together(self, conversations: Sequence[Messages]) -> Iterator[Encoded]:
        frames = [self._frame(one) for one in conversations]
        texts = [part.text(one) for one, frame in zip(conversations, frames, strict=True) for part in frame or ()]
        with _on_every_core():
            encoded = iter(self._tokens.plain_ids(texts))
        for one, frame in zip(conversations, frames, strict=True):
            yield _encoded(*(self._one_by_one(one) if frame is None else _joined(frame, encoded)))

    def _frame(self, messages: Messages) -> tuple[Part, ...] | None:
        """None for a conversation that is encoded by itself."""
        if not self._is_plain(messages):
            return None
        shape = tuple((one["role"], bool(one.get("loss", True)), bool(one["content"])) for one in messages)
        if shape not in self._known:
            frame = self._learned(messages)
            expected = self._one_by_one(messages)
            self._known[shape] = frame if frame and self._shows(frame, messages, expected) else None
        return self._known[shape]

    def _is_plain(self, messages: Messages) -> bool:
        contents = [one["content"] for one in messages]
        earlier = [one["content"] for one in messages[:-1] if one["role"] == "assistant"]  # ms-swift strips these
        return (
            all(one.keys() <= {"role", "content", "loss"} and one["role"] in ROLES for one in messages)
            and not any(CHANGED.search(one) or self._special.search(one) for one in contents)
            and all(one == one.strip() for one in earlier)
        )

    def _learned(self, messages: Messages) -> tuple[Part, ...] | None:
        """From the texts that ms-swift's template encodes of a conversation of marks."""
        marked = [one | {"content": f"{OPEN}{at}{CLOSE}" if one["content"] else ""} for at, one in enumerate(messages)]
        seen: list[tuple[str, int]] = []  # each text, and the number of its tokens
        original = self._template._tokenize  # noqa: SLF001  # docs/fragile.md

        def watched(context: str, **how: Any) -> list[int]:
            ids: list[int] = original(context, **how)
            seen.append((context, len(ids)))
            return ids

        self._template._tokenize = watched  # noqa: SLF001
        try:
            ids, labels = self._one_by_one(marked)
        finally:
            self._template._tokenize = original  # noqa: SLF001
        ends = [0, *accumulate(count for _, count in seen)]
        if len(ids) not in ends:
            return None
        ends = ends[: ends.index(len(ids)) + 1]  # the end of an answer is encoded once more, by itself
        return tuple(_part(seen[at][0], labels[start:end]) for at, (start, end) in enumerate(pairwise(ends)))

    def _shows(self, frame: Sequence[Part], messages: Messages, expected: tuple[list[int], list[int]]) -> bool:
        return _joined(frame, iter(self._tokens.plain_ids([part.text(messages) for part in frame]))) == expected


def _part(text: str, labels: Sequence[int]) -> Part:
    split = SLOT.split(text)
    pieces = (piece if at % 2 == 0 else int(piece) for at, piece in enumerate(split))
    trained = next((at for at, label in enumerate(labels) if label == IGNORED), None)
    return Part(pieces=tuple(one for one in pieces if one != ""), trained=trained)


def _joined(frame: Sequence[Part], encoded: Iterator[list[int]]) -> tuple[list[int], list[int]]:
    """Token ids and labels; `encoded`: the token ids of each part of the frame, and further ones."""
    ids: list[int] = []
    labels: list[int] = []
    for part, more in zip(frame, encoded, strict=False):
        ids += more
        labels += part.labels(more)
    return ids, labels


def _encoded(ids: Sequence[int], labels: Sequence[int]) -> Encoded:
    # Arrays: a token takes eight bytes in them, and several times that in lists of integers.
    return Encoded(input_ids=array("i", ids), labels=array("i", labels))


@contextmanager
def _on_every_core() -> Iterator[None]:
    """The tokenizers library reads the variable at each call; else it is off, since processes are forked."""
    before = os.environ.get(PARALLEL)
    os.environ[PARALLEL] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ[PARALLEL]
        else:
            os.environ[PARALLEL] = before
