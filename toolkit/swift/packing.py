"""Sequences of any length laid end to end into lines, each seeing itself alone: no time is spent on padding."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

# Long enough that little is left over at a line's end; short enough that attention's square over it stays cheap.
LINE_TOKENS = {"cpu": 128, "cuda": 512}
ALIGNED = 8  # attention's kernels read a mask in pieces of so many
NOBODY = -1  # the owner of what is left over


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A number of lines, and their width in tokens."""

    lines: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Packed:
    """`ids`, `positions` (in its sequence) and `owner` (the sequence) of each token, shape [lines, width].

    `starts`: where each sequence begins in the lines laid end to end.
    """

    ids: "Tensor"
    positions: "Tensor"
    owner: "Tensor"
    starts: tuple[int, ...]


def pack(sequences: Sequence["Tensor"], pad: int, *, line_tokens: int, frame: Frame | None = None) -> Packed | None:
    """Lays out token ids, each of shape [tokens], the longest first into the first line that has room.

    `frame`: the shape that comes out, whatever goes in; None is returned where they do not fit.
    """
    lengths = [len(one) for one in sequences]
    lines = _lines(lengths, line_tokens if frame is None else frame.width)
    needed = _around(lengths, lines)
    if frame is None:
        frame = needed
    elif needed.lines > frame.lines or needed.width > frame.width:
        return None
    ids = torch.full((frame.lines, frame.width), pad)
    positions, owner = torch.zeros_like(ids), torch.full_like(ids, NOBODY)
    starts = [0] * len(sequences)
    for number, line in enumerate(lines):
        begin = 0
        for at in line:
            place = slice(begin, begin + lengths[at])
            ids[number, place], owner[number, place] = sequences[at], at
            positions[number, place] = torch.arange(lengths[at])
            starts[at], begin = number * frame.width + begin, begin + lengths[at]
    return Packed(ids=ids, positions=positions, owner=owner, starts=tuple(starts))


def who_sees_whom(owner: "Tensor") -> "Tensor":
    """Attention's mask of `Packed.owner`, shape [lines, 1, width, width]."""
    # What is left over sees what is left over before it: a row that sees nothing would be no number.
    same = owner[:, :, None] == owner[:, None, :]
    return same.tril()[:, None]


def frame_for(draws: Sequence[Sequence[int]], line_tokens: int) -> Frame:
    """The frame that holds each of these sets of lengths and leaves least over, its lines up to twice as long."""
    widest = max(map(sum, draws))
    lines = max(1, widest // line_tokens)
    width = _aligned(max(-(-widest // lines), *map(max, draws)))
    while any(len(_lines(lengths, width)) > lines for lengths in draws):
        width += ALIGNED
    return Frame(lines=lines, width=width)


def _around(lengths: Sequence[int], lines: Sequence[Sequence[int]]) -> Frame:
    return Frame(lines=len(lines), width=_aligned(max(sum(lengths[at] for at in line) for line in lines)))


def _aligned(width: int) -> int:
    return -(-width // ALIGNED) * ALIGNED


def _lines(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Which sequences share a line of so many tokens."""
    lines: list[list[int]] = []
    room: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda one: -lengths[one]):
        number = next((number for number, free in enumerate(room) if free >= lengths[at]), None)
        if number is None:
            number = len(lines)
            lines.append([])
            room.append(max(tokens, lengths[at]))
        lines[number].append(at)
        room[number] -= lengths[at]
    return lines
