"""What a chat template puts around the contents of a conversation, learned from the template itself.

Rendering takes a millisecond a row, and one core. Here each shape of a conversation (who speaks in turn, what is
trained) is rendered twice: once with marks for contents, which shows the texts that are encoded and what of them is
trained, and once with the shape's first row, whose tokens and labels must come out the same. Rows of that shape are
then encoded together, on every core, and of their texts only what differs: a tokenizer divides a text at its special
tokens first, so what stands between two of them is encoded by itself, and once if it is always the same. What a frame
cannot show is encoded row by row.
"""

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

from toolkit.core.text import IDS
from toolkit.data.dataset import Row
from toolkit.data.encoding import IGNORED
from toolkit.model.chat_template import ESCAPE, ChatTokens
from toolkit.train.ms_swift.word_tokens import WordTokens

ROWS_AT_ONCE = 512
OPEN, CLOSE = "\ufdd2", "\ufdd3"  # around a message's number: noncharacters, which texts hardly have
SLOT = re.compile(f"{OPEN}(\\d+){CLOSE}")
ROLES = frozenset({"system", "user", "assistant"})
CHANGED = ("{{", "think>", OPEN, CLOSE, ESCAPE)  # in contents that a template may change, such as thoughts

Encoding = tuple[Sequence[int], Sequence[int]]  # token ids and labels
NOTHING = array(IDS, [IGNORED])  # the label of a token that is not trained
# Of each message: its role, whether it is trained, has a text, begins or ends with a space, which some templates cut.
Shape = tuple[tuple[str, bool, bool, bool, bool], ...]


@dataclass(frozen=True)
class Text:
    """A text that is encoded by itself: pieces as they stand, and the numbers of the messages whose contents follow."""

    pieces: tuple[str | int, ...]

    @property
    def varies(self) -> bool:
        return any(isinstance(one, int) for one in self.pieces)

    def of(self, row: Row) -> str:
        return "".join([one if isinstance(one, str) else row.messages[one].content for one in self.pieces])


@dataclass(frozen=True, kw_only=True)
class Part:
    """Texts, and the token ids of those that are always the same.

    Of all its tokens the first `trained` are trained; None: all of them.
    """

    segments: "tuple[Text | array[int], ...]"
    trained: int | None

    def ids(self, encoded: "Iterator[array[int]]") -> "array[int]":
        found = array(IDS)
        for one in self.segments:
            found += next(encoded) if isinstance(one, Text) else one
        return found

    def labels(self, ids: "array[int]") -> "array[int]":
        return ids if self.trained is None else ids[: self.trained] + NOTHING * (len(ids) - self.trained)


class Frame:
    """What all rows of a shape have in common, in order; `texts`: what is encoded of each."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self.parts = tuple(parts)
        self.texts = [one for part in self.parts for one in part.segments if isinstance(one, Text)]

    def joined(self, encoded: "Iterator[array[int]]") -> Encoding:
        """`encoded`: the token ids of each text, and further ones."""
        ids, labels = array(IDS), array(IDS)
        for part in self.parts:
            more = part.ids(encoded)
            ids += more
            labels += part.labels(more)
        return ids, labels


class Frames:
    """Encodes rows as `one_by_one` does, many at once.

    `template`: ms-swift's, in training mode, encoding texts by `tokens.ids`. Every row gets the same system prompt, if
    it has none.
    """

    def __init__(
        self, template: Any, tokens: ChatTokens, words: WordTokens, one_by_one: Callable[[Row], Encoding]
    ) -> None:  # fmt: skip
        self._template, self._tokens, self._one_by_one = template, tokens, one_by_one
        self._words = words
        stops = [word for word in template.template_meta.stop_words if isinstance(word, str)]
        special = [*CHANGED, *filter(None, [*template.special_tokens, *stops])]
        self._changed = re.compile("|".join([*map(re.escape, special), tokens.special.pattern]))
        # What each of them begins with: found much faster, and few texts have any.
        self._begin_changed = {*CHANGED, *(one[0] for one in [*special, *tokens.special_tokens] if one not in CHANGED)}
        self._known: dict[Shape, Frame | None] = {}  # None: rows of this shape are encoded one by one

    def encode(self, rows: Sequence[Row]) -> Iterator[Encoding]:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            yield from self._together(rows[start : start + ROWS_AT_ONCE])

    def _together(self, rows: Sequence[Row]) -> Iterator[Encoding]:
        frames = [self._frame(row) for row in rows]
        framed = [(row, frame) for row, frame in zip(rows, frames, strict=True) if frame is not None]
        texts = [text.of(row) for row, frame in framed for text in frame.texts]
        encoded = iter(self._words.ids(texts))
        for row, frame in zip(rows, frames, strict=True):
            yield self._one_by_one(row) if frame is None else frame.joined(encoded)

    def _frame(self, row: Row) -> Frame | None:
        """None for a row that is encoded by itself."""
        if not self._is_plain(row):
            return None
        shape = tuple([(one.role, one.trained, *_outline(one.content)) for one in row.messages])
        if shape not in self._known:
            frame, expected = self._learned(row), self._one_by_one(row)
            frames = [self._divided(frame), frame] if frame else []
            alike = (one for one in frames if tuple(map(list, self._shown(one, row))) == tuple(map(list, expected)))
            self._known[shape] = next(alike, None)
        return self._known[shape]

    def _is_plain(self, row: Row) -> bool:
        """Whether there is nothing in it but turns, and nothing in these that changes what stands around them."""
        if row.tools or any(one.calls or one.thought is not None for one in row.messages):
            return False
        return all(one.role in ROLES and not self._may_change(one.content) for one in row.messages)

    def _may_change(self, content: str) -> bool:
        for mark in self._begin_changed:
            if mark in content:
                return self._changed.search(content) is not None
        return False

    def _learned(self, row: Row) -> Frame | None:
        """From the texts that are encoded of the same row with marks for contents."""
        marks = (f"{OPEN}{at}{CLOSE}" if one.content else "" for at, one in enumerate(row.messages))
        marked = tuple(replace(one, content=mark) for one, mark in zip(row.messages, marks, strict=True))
        seen: list[tuple[str, int]] = []  # each text, and the number of its tokens
        original = self._tokens.ids

        def watched(text: str, **_: Any) -> list[int]:
            ids = original(text)
            seen.append((text, len(ids)))
            return ids

        with _encoding_by(self._template, self._tokens, watched):
            ids, labels = self._one_by_one(replace(row, messages=marked))
        ends = [0, *accumulate(count for _, count in seen)]
        if len(ids) not in ends:
            return None
        ends = ends[: ends.index(len(ids)) + 1]  # the end of an answer is encoded once more, by itself
        return Frame(_part(seen[at][0], labels[start:end]) for at, (start, end) in enumerate(pairwise(ends)))

    def _divided(self, frame: Frame) -> Frame:
        """The frame with its texts divided at special tokens."""
        return Frame(
            replace(part, segments=tuple(one for text in part.segments for one in self._segments(text)))
            for part in frame.parts
        )

    def _segments(self, text: "Text | array[int]") -> "Iterator[Text | array[int]]":
        """With the ids of what is always the same."""
        if not isinstance(text, Text):
            yield text
            return
        marked = "".join(one if isinstance(one, str) else f"{OPEN}{one}{CLOSE}" for one in text.pieces)
        ends = [0, *(end for found in self._tokens.special.finditer(marked) for end in found.span()), len(marked)]
        for segment in (_text(marked[start:end]) for start, end in pairwise(ends) if start < end):
            yield segment if segment.varies else self._words.ids(["".join(map(str, segment.pieces))])[0]

    def _shown(self, frame: Frame, row: Row) -> Encoding:
        return frame.joined(iter(self._words.ids([text.of(row) for text in frame.texts])))


def _outline(text: str) -> tuple[bool, bool, bool]:
    return bool(text), text != text.lstrip(), text != text.rstrip()


@contextmanager
def _encoding_by(template: Any, tokens: ChatTokens, ids: Callable[..., list[int]]) -> Iterator[None]:
    """Within, texts are encoded by this function: those of ms-swift's template, and those of rendered rows."""
    before = template._tokenize  # noqa: SLF001  # docs/fragile.md
    template._tokenize = tokens.ids = ids  # type: ignore[method-assign]  # noqa: SLF001
    try:
        yield
    finally:
        template._tokenize = before  # noqa: SLF001
        del tokens.ids


def _part(text: str, labels: Sequence[int]) -> Part:
    trained = next((at for at, label in enumerate(labels) if label == IGNORED), None)
    return Part(segments=(_text(text),), trained=trained)


def _text(marked: str) -> Text:
    pieces = (piece if at % 2 == 0 else int(piece) for at, piece in enumerate(SLOT.split(marked)))
    return Text(tuple(one for one in pieces if one != ""))
