"""The second half of the door to ms-swift: its trainer, with a term that keeps the rest of the model where it was.

loss = cross entropy(rows) + weight * KL(base || tuned) over the base model's own answers to the keep prompts.
Kin: learning without forgetting (Li & Hoiem 2016), the KL term of RLHF. The base is the same network before it was
given an adapter: its last hidden states at the answers' positions are computed once, a few kilobytes a token, so a
step costs one forward and backward pass over both kinds of row together and no second copy of the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from toolkit.keep_set import rows_at
from toolkit.swift.batch import Batch, Piece, counted
from toolkit.swift.captured import Told
from toolkit.swift.packed import PackedTrainer, in_chunks

if TYPE_CHECKING:
    from torch import Tensor

BATCH_SIZE = 32


@dataclass(frozen=True, kw_only=True)
class KeepTerm:
    """`rows_a_step` are shared evenly among the micro-batches of a step."""

    rows: Sequence[Piece]
    weight: float
    rows_a_step: int
    seed: int
    held_out: Sequence[Piece] = ()  # never trained on: the drift is measured there


def observe_base(model: Any, encoded: Sequence[tuple[list[int], int]], pad: int) -> list[Piece]:
    """The base's hidden states for (ids, start) pairs; `model` has no adapter yet."""
    rows: list[Piece | None] = [None] * len(encoded)
    order = sorted(range(len(encoded)), key=lambda at: len(encoded[at][0]))
    for begin in range(0, len(order), BATCH_SIZE):
        batch = order[begin : begin + BATCH_SIZE]
        ids = [torch.tensor(encoded[at][0]) for at in batch]
        inputs, mask = _padded(ids, pad, model.device)
        with torch.no_grad():
            hidden = model.model(input_ids=inputs, attention_mask=mask, use_cache=False).last_hidden_state
        for row, at in enumerate(batch):
            start, length = encoded[at][1], len(encoded[at][0])
            predicting = torch.arange(start, length)
            rows[at] = Piece(ids=ids[row], at=predicting, target=hidden[row, start:length].cpu().clone(), kept=True)
    return [row for row in rows if row is not None]


def _padded(ids: Sequence["Tensor"], pad: int, device: Any) -> tuple["Tensor", "Tensor"]:
    """Token ids and mask, padded on the right, both shape [rows, longest]."""
    inputs = torch.nn.utils.rnn.pad_sequence(list(ids), batch_first=True, padding_value=pad)
    lengths = torch.tensor([len(one) for one in ids])
    mask = (torch.arange(inputs.shape[1]) < lengths[:, None]).long()
    return inputs.to(device), mask.to(device)


class KeepTrainer(PackedTrainer):
    """`keep` is set before training starts. Rows and keep rows share a pass."""

    keep: KeepTerm
    _at = (-1, 0)  # the step under way, and its micro-batch

    def training_step(self, *inputs: Any, **more: Any) -> "Tensor":
        step, micro = self._at
        self._at = (self.state.global_step, micro + 1 if step == self.state.global_step else 0)
        return super().training_step(*inputs, **more)

    def pieces(self, inputs: dict[str, Any]) -> list[Piece]:
        return super().pieces(inputs) + self._drawn()

    def drawn_pieces(self, chance: Random) -> list[Piece]:
        return super().drawn_pieces(chance) + chance.choices(self.keep.rows, k=self._rows_at_once)

    def shares(self, pieces: Sequence[Piece], words_in_step: Any) -> dict[str, "Tensor"]:
        kept_share = torch.tensor([1 / counted(pieces)[1]])
        return super().shares(pieces, words_in_step) | {"kept_share": kept_share}

    def losses(self, model: Any, batch: Batch) -> Told:
        hidden = self.hidden(model, batch)
        entropy = self.entropy(hidden, batch)
        drift = self._drift(hidden, batch)
        loss = entropy + self.keep.weight * drift / self.args.gradient_accumulation_steps
        return {"loss": loss, "cross_entropy": entropy, "kl": drift}

    def tell(self, told: Told) -> None:
        # A micro-batch's entropy is a share of the whole step's; the logged mean over micro-batches undoes that.
        entropy = told["cross_entropy"] * self.args.gradient_accumulation_steps
        self.custom_metrics["train"]["cross_entropy"].update(entropy)
        self.custom_metrics["train"]["kl"].update(told["kl"])

    def _drift(self, hidden: "Tensor", batch: Batch) -> "Tensor":
        """KL(base || tuned) in nats a token."""
        summed = in_chunks(
            lambda tuned, base, counts: (divergence(self.head(base), self.head(tuned)) * counts).sum(),
            hidden[batch["kept_at"]],
            batch["kept_base"],
            batch["kept"],
        )
        return summed * batch["kept_share"][0]

    def _drawn(self) -> list[Piece]:
        """The micro-batch's share, by its number since training began: resumed or not, the same rows."""
        number = self.state.global_step * self.args.gradient_accumulation_steps + self._at[1]
        draw = number * self.accelerator.num_processes + self.accelerator.process_index
        return [self.keep.rows[at] for at in rows_at(len(self.keep.rows), draw, self._rows_at_once, self.keep.seed)]

    @property
    def _rows_at_once(self) -> int:
        return int(
            max(1, self.keep.rows_a_step // (self.args.gradient_accumulation_steps * self.accelerator.num_processes))
        )


def divergence(base: "Tensor", tuned: "Tensor") -> "Tensor":
    """KL(base || tuned) in nats, shape [positions]; both are logits of shape [positions, vocabulary]."""
    p, q = functional.log_softmax(base.detach().float(), -1), functional.log_softmax(tuned.float(), -1)
    return functional.kl_div(q, p, reduction="none", log_target=True).sum(-1)
