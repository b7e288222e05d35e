"""Sequences of any length laid end to end into lines: no time is spent on padding, nor twice on what they begin with.

Each sees itself alone, and what it shares with others of its line: the beginning, such as a system prompt, which is
there once. What comes out of a model is what comes out of each sequence by itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


# Long enough that little is left over at a line's end; short enough that attention's square over it stays cheap.
LINE_TOKENS = {"cpu": 128, "cuda": 512}
ALIGNED = 8  # attention's kernels read a mask in pieces of so many
SHARED_TOKENS = 6  # what is shared by fewer tokens is not worth a place of its own
PADDING = -1  # the owner of what is left over; before what begins anew there is nobody either


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """Token ids, each of shape [tokens], and how many tokens of each may be shared: what comes out there is not asked.

    `beginnings`: the number of the beginning of each, None for what has none; `shared`: the beginnings' lengths.
    """

    ids: Sequence["Tensor"]
    beginnings: Sequence[int | None]
    shared: Sequence[int]

    @property
    def tokens(self) -> int:
        """All of them, what is shared counted once."""
        return sum(map(self.own, range(len(self.ids)))) + sum(self.shared)

    def own(self, at: int) -> int:
        """Tokens of a sequence behind what it shares."""
        begins = self.beginnings[at]
        return len(self.ids[at]) - (0 if begins is None else self.shared[begins])


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A number of lines, and their width in tokens."""

    lines: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Packed:
    """`ids`, `positions` (in its sequence), `owner` and `before` of each token, shape [lines, width].

    `owner`: the sequence or beginning that it belongs to; `before`: the beginning that it goes on from.
    `starts`: where each sequence's first token would lie in the lines laid end to end, if it were not shared.
    """

    ids: "Tensor"
    positions: "Tensor"
    owner: "Tensor"
    before: "Tensor"
    starts: tuple[int, ...]


@dataclass(kw_only=True)
class _Line:
    room: int
    sequences: list[int] = field(default_factory=list)
    beginnings: list[int] = field(default_factory=list)


def sharing(ids: Sequence["Tensor"], most: Sequence[int]) -> Sequences:
    """Finds what sequences have in common at their beginning; `most`: how many tokens of each may be shared."""
    texts = [one.tolist()[:count] for one, count in zip(ids, most, strict=True)]
    beginnings: list[int | None] = [None] * len(texts)
    shared: list[int] = []
    for group, length in _groups(texts):
        for at in group:
            beginnings[at] = len(shared)
        shared.append(length)
    return Sequences(ids=ids, beginnings=beginnings, shared=shared)


def _groups(texts: Sequence[list[int]]) -> Iterator[tuple[list[int], int]]:
    """Two and more that begin alike, and for how long: another joins where that saves no less than before."""
    group: list[int] = []
    length = 0
    for at in sorted(range(len(texts)), key=texts.__getitem__):  # what begins alike stands together
        common = _common(texts[group[0]], texts[at]) if group else 0
        if common >= SHARED_TOKENS and len(group) * common >= (len(group) - 1) * length:
            group.append(at)
            length = common  # in this order it never grows
            continue
        if len(group) > 1:
            yield group, length
        group, length = [at], 0
    if len(group) > 1:
        yield group, length


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def pack(sequences: Sequences, pad: int, frame: Frame) -> Packed | None:
    """Lays them out, the longest first into the first line that has room; None where they do not fit."""
    lines = _lines(sequences, frame.width)
    if not _fit(lines, sequences, frame):
        return None
    ids = torch.full((frame.lines, frame.width), pad)
    positions, owner, before = torch.zeros_like(ids), torch.full_like(ids, PADDING), torch.full_like(ids, PADDING)
    starts = [0] * len(sequences.ids)
    for number, line in enumerate(lines):
        begin = 0
        for name in line.beginnings:
            length = sequences.shared[name]
            place = number, slice(begin, begin + length)
            ids[place] = sequences.ids[sequences.beginnings.index(name)][:length]
            positions[place], owner[place] = torch.arange(length), len(starts) + name
            begin += length
        for at in line.sequences:
            begins = sequences.beginnings[at]
            first = 0 if begins is None else sequences.shared[begins]
            place = number, slice(begin, begin + sequences.own(at))
            ids[place], owner[place] = sequences.ids[at][first:], at
            positions[place] = torch.arange(first, len(sequences.ids[at]))
            if begins is not None:
                before[place] = len(starts) + begins
            starts[at], begin = number * frame.width + begin - first, begin + sequences.own(at)
    return Packed(ids=ids, positions=positions, owner=owner, before=before, starts=tuple(starts))


def visibility_mask(owner: "Tensor", before: "Tensor") -> "Tensor":
    """Attention's mask of `Packed.owner` and `Packed.before`, shape [lines, 1, width, width]."""
    # What is left over sees what is left over before it: a row that sees nothing would be no number.
    same = owner[:, :, None] == owner[:, None, :]
    goes_on = (before[:, :, None] == owner[:, None, :]) & (before[:, :, None] != PADDING)
    return (same | goes_on).tril()[:, None]


def frame_for(draws: Sequence[Sequences], line_tokens: int) -> Frame:
    """A frame that holds each of these and leaves little over: of a few lines up to twice as long, or of more."""
    line_tokens = max(line_tokens, *(len(ids) for one in draws for ids in one.ids))
    most = max(one.tokens for one in draws)
    few, many = max(1, most // line_tokens), max(len(_lines(one, line_tokens)) for one in draws)
    frames = [_narrowest(draws, lines, -(-most // lines)) for lines in (few, many)]
    return min(frames, key=lambda one: (one.lines * one.width, one.width))


def _narrowest(draws: Sequence[Sequences], lines: int, width: int) -> Frame:
    """That holds each of these, and is at least so wide."""
    frame = Frame(lines=lines, width=_aligned(width))
    while not all(_fit(_lines(one, frame.width), one, frame) for one in draws):
        frame = Frame(lines=lines, width=frame.width + ALIGNED)
    return frame


def _fit(lines: Sequence[_Line], sequences: Sequences, frame: Frame) -> bool:
    return len(lines) <= frame.lines and all(_used(line, sequences) <= frame.width for line in lines)


def _used(line: _Line, sequences: Sequences) -> int:
    return sum(map(sequences.own, line.sequences)) + sum(sequences.shared[name] for name in line.beginnings)


def _aligned(width: int) -> int:
    return -(-width // ALIGNED) * ALIGNED


def _lines(sequences: Sequences, tokens: int) -> list[_Line]:
    """Which sequences share a line of so many tokens; of those with one beginning, the longest first."""
    lines: list[_Line] = []
    groups: dict[int | None, list[int]] = {}
    for at, name in enumerate(sequences.beginnings):
        groups.setdefault(name, []).append(at)
    for name, group in sorted(groups.items(), key=lambda one: -sum(map(sequences.own, one[1]))):
        for at in sorted(group, key=lambda one: -sequences.own(one)):
            line, needed = _place(lines, name, sequences, at)
            if line is None:
                line = _Line(room=max(tokens, needed))
                lines.append(line)
            if name is not None and name not in line.beginnings:
                line.beginnings.append(name)
            line.sequences.append(at)
            line.room -= needed
    return lines


def _place(lines: Sequence[_Line], name: int | None, sequences: Sequences, at: int) -> tuple[_Line | None, int]:
    """The first line with room, and what the sequence needs there; a line of its own where there is none."""
    own, whole = sequences.own(at), len(sequences.ids[at])
    for line in lines:
        needed = own if name in line.beginnings else whole
        if line.room >= needed:
            return line, needed
    return None, whole
