"""What a pass is computed from: rows and keep rows laid end to end, in tensors."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from toolkit.data.encoding import IGNORED
from toolkit.train.passes.packing import Frame, Sequences, frame_for, pack, sharing

if TYPE_CHECKING:
    from torch import Tensor


POSITIONS_ALIGNED = 64
DRAWS = 64  # tried out to know how large a pass may become; one in so many is larger, and becomes two
KEEP_TENSORS = (
    "kept_at",
    "kept_base",
    "kept",
)  # of a batch: where a keep row's distribution is, the base's there, and ones
Batch = dict[str, "Tensor"]


@dataclass(frozen=True, kw_only=True)
class TrainSequence:
    """A sequence of token ids, shape [tokens], and the positions in it that predict something that counts.

    `target` at each of them: of a row the token; of a keep row (`kept`) the base model's last hidden state, shape
    [positions, width], which waits beside the card.
    """

    ids: "Tensor"
    at: "Tensor"
    target: "Tensor"
    kept: bool


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The shape that batches are given: their lines, and the positions that count in rows and in keep rows."""

    frame: Frame
    words: int
    kept: int


def row_pieces(inputs: Mapping[str, Any]) -> list[TrainSequence]:
    """A padded batch, as ms-swift's collator makes it, row by row and beside the card."""
    columns = (inputs[key].cpu() for key in ("input_ids", "labels", "attention_mask"))
    return [row_piece(ids[seen.bool()], labels[seen.bool()]) for ids, labels, seen in zip(*columns, strict=True)]


def row_piece(ids: "Tensor", labels: "Tensor") -> TrainSequence:
    """`labels`: as long as `ids`, IGNORED where nothing is trained."""
    trained = (labels[1:] != IGNORED).nonzero()[:, 0]
    return TrainSequence(ids=ids, at=trained, target=labels[1:][trained], kept=False)


def counted(pieces: Sequence[TrainSequence]) -> tuple[int, int]:
    """Positions that count, in rows and in keep rows."""
    words = sum(len(one.at) for one in pieces if not one.kept)
    return words, sum(len(one.at) for one in pieces) - words


def lay_out(pieces: Sequence[TrainSequence], pad: int, line_tokens: int, sizes: Sizes | None = None) -> Batch | None:
    """`ids`, `positions`, `owner`, `before`: as in `Packed`; `at`, `words`: where a row's word is predicted, and which.

    KEPT's are there with keep rows alone. With `sizes`, lines have that shape, and None is returned where the pieces do
    not fit; without, lines hold about `line_tokens`.
    """
    words, kept = counted(pieces)
    if sizes is not None and (words > sizes.words or kept > sizes.kept):
        return None
    sequences = _sequences(pieces)
    packed = pack(sequences, pad, frame_for([sequences], line_tokens) if sizes is None else sizes.frame)
    if packed is None:
        return None
    placed = [(one, start + one.at) for one, start in zip(pieces, packed.starts, strict=True)]
    batch = {"ids": packed.ids, "positions": packed.positions, "owner": packed.owner, "before": packed.before}
    if words:
        batch["at"] = torch.cat([at for one, at in placed if not one.kept])
        batch["words"] = torch.cat([one.target for one in pieces if not one.kept])
    if kept:
        at = torch.cat([at for one, at in placed if one.kept])
        base = torch.cat([one.target for one in pieces if one.kept])
        batch |= dict(zip(KEEP_TENSORS, (at, base, torch.ones(kept)), strict=True))
    return batch


def lay_out_split(pieces: Sequence[TrainSequence], pad: int, line_tokens: int, sizes: Sizes) -> list[Batch] | None:
    """Batches of that shape, nearly always one; None where a part would lack a kind of piece."""
    whole = lay_out(pieces, pad, line_tokens, sizes)
    if whole is not None:
        return [whole]
    halves = pieces[::2], pieces[1::2]
    if any(
        count and not of_half for half in halves for count, of_half in zip(counted(pieces), counted(half), strict=True)
    ):
        return None
    parts = [lay_out_split(half, pad, line_tokens, sizes) for half in halves]
    return None if None in parts else [batch for part in parts for batch in part or ()]


def sizes_for(draw: Callable[[random.Random], Sequence[TrainSequence]], line_tokens: int) -> Sizes:
    """What holds nearly every batch that `draw` may make."""
    chance = random.Random(0)  # noqa: S311  # an estimate, not a secret
    draws = [draw(chance) for _ in range(DRAWS)]
    words, kept = (
        -(-max(numbers) // POSITIONS_ALIGNED) * POSITIONS_ALIGNED for numbers in zip(*map(counted, draws), strict=True)
    )
    frame = frame_for([_sequences(pieces) for pieces in draws], line_tokens)
    return Sizes(frame=frame, words=words, kept=kept)


def _sequences(pieces: Sequence[TrainSequence]) -> Sequences:
    """What comes before the first position that counts may be shared; that one is a sequence's own."""
    return sharing([one.ids for one in pieces], [int(one.at[0]) if len(one.at) else len(one.ids) for one in pieces])
