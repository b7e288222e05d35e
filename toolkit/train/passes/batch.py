"""A pass's input: rows and keep rows packed end to end, as tensors on the CPU."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from toolkit.data.encoding import IGNORED, Encoded
from toolkit.train.passes.packing import (
    Frame,
    Packed,
    Sequences,
    frame_for,
    frame_in_lines,
    one_a_line,
    pack,
    share_prefixes,
)

if TYPE_CHECKING:
    from torch import Tensor


POSITION_ALIGNMENT = 64
DRAWS = 64  # sampled to estimate how large a pass becomes; about one in as many is larger, and is split into two
# Entries of a batch with keep rows: the positions of their distributions, the base's hidden states there, and ones.
KEEP_TENSORS = ("keep_positions", "keep_states", "keep_mask")
Batch = dict[str, "Tensor"]


@dataclass(frozen=True, kw_only=True)
class TrainSequence:
    """Token ids, shape [tokens], and the `positions` in them whose prediction enters the loss, shape [positions].

    `targets`: of a row the token that each position predicts, shape [positions]; of a keep row (`is_keep`) the base
    model's last hidden state there, shape [positions, width]. All tensors are on the CPU.
    """

    ids: "Tensor"
    positions: "Tensor"
    targets: "Tensor"
    is_keep: bool


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The fixed shape of a pass: its lines, and the number of predicting positions in rows and in keep rows."""

    frame: Frame
    row_positions: int
    keep_positions: int

    @property
    def lengths(self) -> dict[str, int]:
        """Of a batch's entries that may be shorter."""
        in_rows = dict.fromkeys(("row_positions", "row_targets"), self.row_positions)
        return in_rows | dict.fromkeys(KEEP_TENSORS, self.keep_positions)


def row_sequence(row: Encoded) -> TrainSequence:
    """One encoded row; its positions are those before a label that is trained on."""
    ids, labels = (torch.tensor(one, dtype=torch.long) for one in (row.input_ids, row.labels))
    positions = (labels[1:] != IGNORED).nonzero()[:, 0]
    return TrainSequence(ids=ids, positions=positions, targets=labels[1:][positions], is_keep=False)


def collate(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A micro-batch of `EncodedDataset`'s items: its `sequences`, which stay on the CPU until they are packed.

    `labels`: their targets, from which the trainer counts a step's trained tokens; it leaves the first one out.
    """
    sequences = [row_sequence(Encoded(input_ids=row["input_ids"], labels=row["labels"])) for row in rows]
    return with_sequences({"sequences": [], "labels": torch.tensor([IGNORED])}, sequences)


def with_sequences(batch: dict[str, Any], sequences: Sequence[TrainSequence]) -> dict[str, Any]:
    """The micro-batch with these rows too."""
    targets = [one.targets.to(batch["labels"].device) for one in sequences]
    return {"sequences": [*batch["sequences"], *sequences], "labels": torch.cat([batch["labels"], *targets])}


def count_positions(sequences: Sequence[TrainSequence]) -> tuple[int, int]:
    """The number of predicting positions in rows and in keep rows."""
    in_rows = sum(len(one.positions) for one in sequences if not one.is_keep)
    return in_rows, sum(len(one.positions) for one in sequences) - in_rows


def lacks_a_kind(own: Sequence[TrainSequence], every: Sequence[TrainSequence]) -> bool:
    """Whether `every` has rows, or keep rows, and its part has none of them."""
    kinds = zip(count_positions(every), count_positions(own), strict=True)
    return any(in_all and not in_own for in_all, in_own in kinds)


def share(sequences: Sequence[TrainSequence], rank: int, size: int) -> list[TrainSequence]:
    """The sequences that process `rank` of `size` takes, about as many tokens as any other; none if there are few.

    Rows and keep rows are dealt out by their length, and every second round backwards.
    """
    order = sorted(range(len(sequences)), key=lambda at: (sequences[at].is_keep, -len(sequences[at].ids)))
    rounds = (order[start : start + size] for start in range(0, len(order), size))
    dealt = (one if number % 2 == 0 else one[::-1] for number, one in enumerate(rounds) if len(one) == size)
    taken = [one[rank] for one in dealt]
    rest = order[len(order) - len(order) % size :]
    return [sequences[at] for at in sorted([*taken, *rest[rank : rank + 1]])]


def lay_out(
    sequences: Sequence[TrainSequence], pad: int, line_tokens: int, sizes: Sizes | None = None, *, plain: bool = False
) -> Batch | None:
    """One batch: `ids`, `positions`, `owner`, `prefix` as in `Packed`; `row_positions`, `row_targets`; KEEP_TENSORS.

    Positions index the flattened lines. KEEP_TENSORS are present if there are keep rows. With `sizes` the lines have
    that shape, and the result is None if the sequences do not fit; without, lines have about `line_tokens`. `plain`:
    each sequence has a line of its own, with padding at its end.
    """
    in_rows, in_keep_rows = count_positions(sequences)
    if sizes is not None and (in_rows > sizes.row_positions or in_keep_rows > sizes.keep_positions):
        return None
    packed: Packed | None
    if plain:
        packed = one_a_line([one.ids for one in sequences], pad, None if sizes is None else sizes.frame)
    else:
        shared = _with_shared_prefixes(sequences)
        packed = pack(shared, pad, frame_for([shared], line_tokens) if sizes is None else sizes.frame)
    if packed is None:
        return None
    placed = [(one, start + one.positions) for one, start in zip(sequences, packed.starts, strict=True)]
    batch = {"ids": packed.ids, "positions": packed.positions, "owner": packed.owner, "prefix": packed.prefix}
    if in_rows:
        batch["row_positions"] = torch.cat([positions for one, positions in placed if not one.is_keep])
        batch["row_targets"] = torch.cat([one.targets for one in sequences if not one.is_keep])
    if in_keep_rows:
        positions = torch.cat([positions for one, positions in placed if one.is_keep])
        states = torch.cat([one.targets for one in sequences if one.is_keep])
        batch |= dict(zip(KEEP_TENSORS, (positions, states, torch.ones(in_keep_rows)), strict=True))
    return batch


def lay_out_split(
    sequences: Sequence[TrainSequence], pad: int, line_tokens: int, sizes: Sizes, *, plain: bool = False
) -> list[Batch] | None:
    """Batches of the fixed shape, nearly always one; None if a part would have no rows, or no keep rows."""
    single = lay_out(sequences, pad, line_tokens, sizes, plain=plain)
    if single is not None:
        return [single]
    halves = sequences[::2], sequences[1::2]
    counts = count_positions(sequences)
    if any(
        count and not in_half for half in halves for count, in_half in zip(counts, count_positions(half), strict=True)
    ):
        return None
    parts = [lay_out_split(half, pad, line_tokens, sizes, plain=plain) for half in halves]
    return None if None in parts else [batch for part in parts for batch in part or ()]


def drawn(draw: Callable[[random.Random], Sequence[TrainSequence]]) -> list[Sequence[TrainSequence]]:
    """What many batches that `draw` may make are like."""
    chance = random.Random(0)  # noqa: S311  # an estimate, not a secret
    return [draw(chance) for _ in range(DRAWS)]


def sizes_for(draws: Sequence[Sequence[TrainSequence]], line_tokens: int) -> Sizes:
    """A shape that fits nearly every batch."""
    return _sizes(draws, frame_for([_with_shared_prefixes(one) for one in draws], line_tokens))


def sizes_in_lines(draws: Sequence[Sequence[TrainSequence]], longest: int) -> Sizes:
    """The same, with a line for each sequence, of up to `longest` tokens."""
    return _sizes(draws, frame_in_lines([[one.ids for one in sequences] for sequences in draws], longest))


def padded_share(draws: Sequence[Sequence[TrainSequence]], sizes: Sizes) -> float:
    """What passes of these sizes have more than the tokens of packed ones, on the mean: 0.1 is a tenth."""
    packed = sum(_with_shared_prefixes(one).tokens for one in draws)
    return sizes.frame.tokens * len(draws) / packed - 1


def _sizes(draws: Sequence[Sequence[TrainSequence]], frame: Frame) -> Sizes:
    in_rows, in_keep_rows = (
        -(-max(counts) // POSITION_ALIGNMENT) * POSITION_ALIGNMENT
        for counts in zip(*map(count_positions, draws), strict=True)
    )
    return Sizes(frame=frame, row_positions=in_rows, keep_positions=in_keep_rows)


def _with_shared_prefixes(sequences: Sequence[TrainSequence]) -> Sequences:
    """Tokens before the first predicting position may be shared; from there on a sequence has its own."""
    max_shared = [int(one.positions[0]) if len(one.positions) else len(one.ids) for one in sequences]
    return share_prefixes([one.ids for one in sequences], max_shared)
