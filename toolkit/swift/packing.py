"""Sequences of any length laid end to end into lines, each seeing itself alone: no time is spent on padding."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

# Long enough that little is left over at a line's end; short enough that attention's square over it stays cheap.
LINE_TOKENS = {"cpu": 128, "cuda": 512}
ALIGNED = 8  # attention's kernels read a mask in pieces of so many
NOBODY = -1  # the owner of what is left over


@dataclass(frozen=True, kw_only=True)
class Packed:
    """`ids` and `positions`: shape [lines, width]. `mask`: who sees whom, shape [lines, 1, width, width].

    `starts`: where each sequence begins in the lines laid end to end.
    """

    ids: "Tensor"
    positions: "Tensor"
    mask: "Tensor"
    starts: tuple[int, ...]


def pack(sequences: Sequence["Tensor"], pad: int, device: Any) -> Packed:
    """Lays out token ids, each of shape [tokens], the longest first into the first line that has room."""
    lengths = [len(one) for one in sequences]
    lines = _lines(lengths, LINE_TOKENS.get(torch.device(device).type, LINE_TOKENS["cpu"]))
    width = -(-max(sum(lengths[at] for at in line) for line in lines) // ALIGNED) * ALIGNED
    ids = torch.full((len(lines), width), pad)
    positions, owner = torch.zeros_like(ids), torch.full_like(ids, NOBODY)
    starts = [0] * len(sequences)
    for number, line in enumerate(lines):
        begin = 0
        for at in line:
            place = slice(begin, begin + lengths[at])
            ids[number, place], owner[number, place] = sequences[at], at
            positions[number, place] = torch.arange(lengths[at])
            starts[at], begin = number * width + begin, begin + lengths[at]
    owner = owner.to(device)
    # What is left over sees what is left over before it: a row that sees nothing would be no number.
    same = owner[:, :, None] == owner[:, None, :]
    return Packed(
        ids=ids.to(device), positions=positions.to(device), mask=same.tril()[:, None], starts=tuple(starts)
    )  # fmt: skip


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
