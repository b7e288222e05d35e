"""Packs sequences of any length end to end into lines: no padding, and a prefix that several share is computed once.

A sequence attends only to itself and to its own shared prefix, so each is computed as in a batch of one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


# Long enough that little is left over at a line's end; short enough that attention's square over it stays cheap.
LINE_TOKENS = {"cpu": 128, "cuda": 512}
END_TO_END = 2**31  # tokens of a line that ends with the last sequence
ALIGNMENT = 8  # attention kernels read a mask in blocks of this many tokens
MIN_SHARED_TOKENS = 6  # a shorter prefix is not worth an entry of its own
PADDING = -1  # the owner of unused positions; also the prefix of a token that continues none


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """Token ids, each of shape [tokens], and the prefixes that they share.

    `prefixes`: the index of each sequence's shared prefix, or None; `prefix_tokens`: the length of each prefix.
    """

    ids: Sequence["Tensor"]
    prefixes: Sequence[int | None]
    prefix_tokens: Sequence[int]

    @property
    def tokens(self) -> int:
        """All tokens; a shared prefix counts once."""
        return sum(map(self.unshared_tokens, range(len(self.ids)))) + sum(self.prefix_tokens)

    def unshared_tokens(self, at: int) -> int:
        """The length of a sequence after its shared prefix."""
        prefix = self.prefixes[at]
        return len(self.ids[at]) - (0 if prefix is None else self.prefix_tokens[prefix])


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A number of lines, and their width in tokens."""

    lines: int
    width: int

    @property
    def tokens(self) -> int:
        return self.lines * self.width


@dataclass(frozen=True, kw_only=True)
class Packed:
    """Tensors of shape [lines, width], one entry a token: `ids`, `positions` (within the sequence), `owner`, `prefix`.

    `owner`: the sequence or prefix that a token belongs to; `prefix`: the one that it continues; else PADDING.
    `starts`: the index of each sequence's first token in the flattened lines, as if its prefix stood right before it.
    """

    ids: "Tensor"
    positions: "Tensor"
    owner: "Tensor"
    prefix: "Tensor"
    starts: tuple[int, ...]


@dataclass(kw_only=True)
class _Line:
    free_tokens: int
    sequences: list[int] = field(default_factory=list)
    prefixes: list[int] = field(default_factory=list)


def share_prefixes(ids: Sequence["Tensor"], max_shared: Sequence[int]) -> Sequences:
    """Finds the prefixes that sequences share; `max_shared`: how many tokens of each sequence may be shared."""
    heads = [one.tolist()[:count] for one, count in zip(ids, max_shared, strict=True)]
    prefixes: list[int | None] = [None] * len(heads)
    prefix_tokens: list[int] = []
    for group, length in _groups(heads):
        for at in group:
            prefixes[at] = len(prefix_tokens)
        prefix_tokens.append(length)
    return Sequences(ids=ids, prefixes=prefixes, prefix_tokens=prefix_tokens)


def _groups(heads: Sequence[list[int]]) -> Iterator[tuple[list[int], int]]:
    """Groups of two or more with a common prefix, and its length.

    Another sequence joins a group if the group then saves no fewer tokens than before.
    """
    group: list[int] = []
    length = 0
    for at in sorted(range(len(heads)), key=heads.__getitem__):  # sequences with a common prefix become neighbours
        common = _common_tokens(heads[group[0]], heads[at]) if group else 0
        if common >= MIN_SHARED_TOKENS and len(group) * common >= (len(group) - 1) * length:
            group.append(at)
            length = common  # in this order it never grows
            continue
        if len(group) > 1:
            yield group, length
        group, length = [at], 0
    if len(group) > 1:
        yield group, length


def _common_tokens(one: Sequence[int], other: Sequence[int]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def pack(sequences: Sequences, pad: int, frame: Frame) -> Packed | None:
    """Places each sequence in the first line with room, the longest first; None if they do not fit the frame."""
    lines = _lines(sequences, frame.width)
    if not _fits(lines, sequences, frame):
        return None
    ids = torch.full((frame.lines, frame.width), pad)
    positions, owner, prefix = torch.zeros_like(ids), torch.full_like(ids, PADDING), torch.full_like(ids, PADDING)
    starts = [0] * len(sequences.ids)
    for number, line in enumerate(lines):
        begin = 0
        for name in line.prefixes:
            length = sequences.prefix_tokens[name]
            place = number, slice(begin, begin + length)
            ids[place] = sequences.ids[sequences.prefixes.index(name)][:length]
            positions[place], owner[place] = torch.arange(length), len(starts) + name
            begin += length
        for at in line.sequences:
            shared = sequences.prefixes[at]
            first = 0 if shared is None else sequences.prefix_tokens[shared]
            place = number, slice(begin, begin + sequences.unshared_tokens(at))
            ids[place], owner[place] = sequences.ids[at][first:], at
            positions[place] = torch.arange(first, len(sequences.ids[at]))
            if shared is not None:
                prefix[place] = len(starts) + shared
            starts[at], begin = number * frame.width + begin - first, begin + sequences.unshared_tokens(at)
    return Packed(ids=ids, positions=positions, owner=owner, prefix=prefix, starts=tuple(starts))


def one_a_line(ids: Sequence["Tensor"], pad: int, frame: Frame | None = None) -> Packed | None:
    """Each sequence in a line of its own, padded at its end, as a model reads a batch by itself.

    `frame`: the shape, with further lines of padding; without, as wide as the longest. None if they do not fit it.
    """
    longest = max(len(one) for one in ids)
    frame = Frame(lines=len(ids), width=longest) if frame is None else frame
    if len(ids) > frame.lines or longest > frame.width:
        return None
    lengths = torch.tensor([len(one) for one in ids] + [0] * (frame.lines - len(ids)))[:, None]
    columns = torch.arange(frame.width).expand(frame.lines, frame.width)
    inside, lines = columns < lengths, torch.arange(frame.lines)[:, None]
    padded = torch.full((frame.lines, frame.width), pad)
    padded[inside] = torch.cat(list(ids))
    return Packed(
        ids=padded, positions=torch.where(inside, columns, 0), owner=torch.where(inside, lines, PADDING),
        prefix=torch.full_like(padded, PADDING), starts=tuple(at * frame.width for at in range(len(ids))),
    )  # fmt: skip


def visibility_mask(owner: "Tensor", prefix: "Tensor") -> "Tensor":
    """The attention mask for `Packed.owner` and `Packed.prefix`, bool, shape [lines, 1, width, width]."""
    # Padding attends to the padding before it: softmax over an empty row would be NaN.
    same = owner[:, :, None] == owner[:, None, :]
    continues = (prefix[:, :, None] == owner[:, None, :]) & (prefix[:, :, None] != PADDING)
    return (same | continues).tril()[:, None]


def frame_in_lines(draws: Sequence[Sequence["Tensor"]], longest: int) -> Frame:
    """A frame that holds each of the draws, a sequence a line, and sequences of up to `longest` tokens."""
    width = max(longest, *(len(ids) for one in draws for ids in one))
    return Frame(lines=max(map(len, draws)), width=_aligned(width))


def frame_for(draws: Sequence[Sequences], line_tokens: int) -> Frame:
    """A frame that holds each of the draws and wastes little: a few lines up to twice `line_tokens` wide, or more."""
    line_tokens = max(line_tokens, *(len(ids) for one in draws for ids in one.ids))
    most = max(one.tokens for one in draws)
    few, many = max(1, most // line_tokens), max(len(_lines(one, line_tokens)) for one in draws)
    frames = [_narrowest(draws, lines, -(-most // lines)) for lines in (few, many)]
    return min(frames, key=lambda one: (one.lines * one.width, one.width))


def _narrowest(draws: Sequence[Sequences], lines: int, min_width: int) -> Frame:
    """The narrowest frame of at least `min_width` that holds each of the draws."""
    frame = Frame(lines=lines, width=_aligned(min_width))
    while not all(_fits(_lines(one, frame.width), one, frame) for one in draws):
        frame = Frame(lines=lines, width=frame.width + ALIGNMENT)
    return frame


def _fits(lines: Sequence[_Line], sequences: Sequences, frame: Frame) -> bool:
    return len(lines) <= frame.lines and all(_used_tokens(line, sequences) <= frame.width for line in lines)


def _used_tokens(line: _Line, sequences: Sequences) -> int:
    unshared = sum(map(sequences.unshared_tokens, line.sequences))
    return unshared + sum(sequences.prefix_tokens[name] for name in line.prefixes)


def _aligned(width: int) -> int:
    return -(-width // ALIGNMENT) * ALIGNMENT


def _lines(sequences: Sequences, line_tokens: int) -> list[_Line]:
    """Assigns sequences to lines; sequences with a common prefix stay together, the longest first."""
    lines: list[_Line] = []
    groups: dict[int | None, list[int]] = {}
    for at, name in enumerate(sequences.prefixes):
        groups.setdefault(name, []).append(at)
    for name, group in sorted(groups.items(), key=lambda one: -sum(map(sequences.unshared_tokens, one[1]))):
        for at in sorted(group, key=lambda one: -sequences.unshared_tokens(one)):
            line, tokens = _line_with_room(lines, name, sequences, at)
            if line is None:
                line = _Line(free_tokens=max(line_tokens, tokens))
                lines.append(line)
            if name is not None and name not in line.prefixes:
                line.prefixes.append(name)
            line.sequences.append(at)
            line.free_tokens -= tokens
    return lines


def _line_with_room(
    lines: Sequence[_Line], name: int | None, sequences: Sequences, at: int
) -> tuple[_Line | None, int]:
    """The first line with room, and the tokens that the sequence takes there; None if a new line is needed."""
    unshared, complete = sequences.unshared_tokens(at), len(sequences.ids[at])
    for line in lines:
        tokens = unshared if name in line.prefixes else complete
        if line.free_tokens >= tokens:
            return line, tokens
    return None, complete
