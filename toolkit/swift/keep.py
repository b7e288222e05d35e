"""The second half of the door to ms-swift: its trainer, with a term that keeps the rest of the model where it was.

loss = cross entropy(rows) + weight * KL(base || tuned) over the base model's own answers to the keep prompts.
Kin: learning without forgetting (Li & Hoiem 2016), the KL term of RLHF. The base is the same network before it was
given an adapter: its last hidden states at the answers' positions are computed once, a few kilobytes a token, so a
step costs one forward and backward pass over both kinds of row together and no second copy of the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from toolkit.keep_set import rows_at
from toolkit.swift.packed import PackedTrainer, TokensAndLabels, in_chunks

if TYPE_CHECKING:
    from torch import Tensor

BATCH_SIZE = 32


@dataclass(frozen=True, kw_only=True)
class KeepRow:
    """`ids`: prompt and answer, shape [tokens]; the positions from `start` on predict the answer and its end.

    `hidden`: the base model's last hidden states there, shape [len(ids) - start, width]; they wait beside the card.
    """

    ids: "Tensor"
    start: int
    hidden: "Tensor"


@dataclass(frozen=True, kw_only=True)
class KeepTerm:
    """`rows_a_step` are shared evenly among the micro-batches of a step."""

    rows: Sequence[KeepRow]
    weight: float
    rows_a_step: int
    seed: int
    held_out: Sequence[KeepRow] = ()  # never trained on: the drift is measured there


def observe_base(model: Any, encoded: Sequence[tuple[list[int], int]], pad: int) -> list[KeepRow]:
    """The base's hidden states for (ids, start) pairs; `model` has no adapter yet."""
    rows: list[KeepRow | None] = [None] * len(encoded)
    order = sorted(range(len(encoded)), key=lambda at: len(encoded[at][0]))
    for begin in range(0, len(order), BATCH_SIZE):
        batch = order[begin : begin + BATCH_SIZE]
        ids = [torch.tensor(encoded[at][0]) for at in batch]
        inputs, mask = _padded(ids, pad, model.device)
        with torch.no_grad():
            hidden = model.model(input_ids=inputs, attention_mask=mask, use_cache=False).last_hidden_state
        for row, at in enumerate(batch):
            start, length = encoded[at][1], len(encoded[at][0])
            rows[at] = KeepRow(ids=ids[row], start=start, hidden=hidden[row, start:length].cpu().clone())
    return [row for row in rows if row is not None]


def _padded(ids: Sequence["Tensor"], pad: int, device: Any) -> tuple["Tensor", "Tensor"]:
    """Token ids and mask, padded on the right, both shape [rows, longest]."""
    inputs = torch.nn.utils.rnn.pad_sequence(list(ids), batch_first=True, padding_value=pad)
    lengths = torch.tensor([len(one) for one in ids])
    mask = (torch.arange(inputs.shape[1]) < lengths[:, None]).long()
    return inputs.to(device), mask.to(device)


class KeepTrainer(PackedTrainer):
    """`keep` is set before training starts."""

    keep: KeepTerm
    _at = (-1, 0)  # the step under way, and its micro-batch

    def loss_of(self, model: Any, rows: Sequence[TokensAndLabels], words_in_step: Any) -> "Tensor":
        """Rows and keep rows share one forward pass."""
        keep_rows = self._drawn()
        hidden, starts = self.hidden(model, [ids for ids, _ in rows] + [row.ids for row in keep_rows])
        entropy = self.entropy(model, hidden, rows, starts[: len(rows)], words_in_step)
        drift = _drift(self.head(model), hidden, keep_rows, starts[len(rows) :])
        # A micro-batch's entropy is a share of the whole step's; the logged mean over micro-batches undoes that.
        self.custom_metrics["train"]["cross_entropy"].update(entropy.detach() * self.args.gradient_accumulation_steps)
        self.custom_metrics["train"]["kl"].update(drift.detach())
        loss: Tensor = entropy + self.keep.weight * drift / self.args.gradient_accumulation_steps
        return loss

    def _drawn(self) -> list[KeepRow]:
        """The micro-batch's share, by its number since training began: resumed or not, the same rows."""
        micros, processes = self.args.gradient_accumulation_steps, self.accelerator.num_processes
        number = self.state.global_step * micros + self._micro_index()
        draw = number * processes + self.accelerator.process_index
        size = max(1, self.keep.rows_a_step // (micros * processes))
        return [self.keep.rows[at] for at in rows_at(len(self.keep.rows), draw, size, self.keep.seed)]

    def _micro_index(self) -> int:
        """The micro-batch's number within its step."""
        step, index = self._at
        index = index + 1 if step == self.state.global_step else 0
        self._at = (self.state.global_step, index)
        return index


def _drift(head: Any, hidden: "Tensor", rows: Sequence[KeepRow], starts: Sequence[int]) -> "Tensor":
    """KL(base || tuned) in nats a token."""
    at = torch.cat([
        torch.arange(start + row.start, start + len(row.ids)) for start, row in zip(starts, rows, strict=True)
    ])  # fmt: skip
    base = torch.cat([row.hidden for row in rows])
    summed = in_chunks(
        lambda q, p: divergence(head(p), head(q)), hidden[at.to(hidden.device)], base.to(hidden.device)
    )  # fmt: skip
    return summed / len(at)


def divergence(base: "Tensor", tuned: "Tensor") -> "Tensor":
    """KL(base || tuned) in nats, summed over positions; both are logits of shape [positions, vocabulary]."""
    p, q = functional.log_softmax(base.detach().float(), -1), functional.log_softmax(tuned.float(), -1)
    return functional.kl_div(q, p, reduction="sum", log_target=True)
