"""The second half of the door to ms-swift: its trainer, with a term that keeps the rest of the model where it was.

loss = cross entropy(rows) + weight * KL(base || tuned) over the base model's own answers to the keep prompts.
Kin: learning without forgetting (Li & Hoiem 2016), the KL term of RLHF. The base is the same network before it was
given an adapter: its last hidden states at the answers' positions are computed once, a few kilobytes a token, so a
step costs one forward and backward pass over both kinds of row together and no second copy of the model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from swift.trainers import Seq2SeqTrainer
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from toolkit.encoding import IGNORED
from toolkit.keep_set import rows_at
from toolkit.swift.packing import pack

if TYPE_CHECKING:
    from torch import Tensor

POSITIONS_AT_ONCE = 256  # logits of 152 064 words in float32: 0.16 GB, a few of them live at once
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


class KeepTrainer(Seq2SeqTrainer):  # type: ignore[misc]
    """ms-swift's trainer; `keep` is set before training starts."""

    keep: KeepTerm
    _at = (-1, 0)  # the step under way, and its micro-batch

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Rows and keep rows share one forward pass; the head runs where a token is predicted, a chunk at a time."""
        if not model.training or return_outputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        rows, keep_rows = _without_padding(inputs), self._drawn()
        hidden, starts = self._hidden(model, [ids for ids, _ in rows] + [row.ids for row in keep_rows])
        head = self.accelerator.unwrap_model(model).get_base_model().lm_head
        surprise, words = _surprise(head, hidden, rows, starts[: len(rows)])
        entropy = surprise / (words if num_items_in_batch is None else num_items_in_batch)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            entropy = entropy * self.accelerator.num_processes  # as ms-swift does: gradients are averaged later
        drift = _drift(head, hidden, keep_rows, starts[len(rows) :])
        # A micro-batch's entropy is a share of the whole step's; the logged mean over micro-batches undoes that.
        self.custom_metrics["train"]["cross_entropy"].update(entropy.detach() * self.args.gradient_accumulation_steps)
        self.custom_metrics["train"]["kl"].update(drift.detach())
        return entropy + self.keep.weight * drift / self.args.gradient_accumulation_steps

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

    def _hidden(self, model: Any, sequences: Sequence["Tensor"]) -> tuple["Tensor", tuple[int, ...]]:
        """Last hidden states, shape [tokens, width], and where each sequence begins there.

        The pass goes through `model` itself, which may be wrapped for several processes.
        """
        packed = pack(sequences, self.template.tokenizer.pad_token_id, model.device)
        caught: list[Tensor] = []
        decoder = self.accelerator.unwrap_model(model).get_base_model().model
        # Not through the embedding module: gradient checkpointing hooks a gradient onto what comes out of it, and every
        # layer below the lowest adapter would be computed backwards for nothing.
        embedded = functional.embedding(packed.ids, decoder.get_input_embeddings().weight)
        hook = decoder.register_forward_hook(lambda *call: caught.append(call[2].last_hidden_state))
        try:
            model(
                inputs_embeds=embedded, attention_mask=packed.mask, position_ids=packed.positions,
                use_cache=False, logits_to_keep=1,
            )  # fmt: skip
        finally:
            hook.remove()
        return caught[0].flatten(0, 1), packed.starts


def _without_padding(inputs: dict[str, Any]) -> list[tuple["Tensor", "Tensor"]]:
    """Token ids and labels of each row, beside the card."""
    columns = (inputs[key].cpu() for key in ("input_ids", "labels", "attention_mask"))
    return [(ids[seen.bool()], labels[seen.bool()]) for ids, labels, seen in zip(*columns, strict=True)]


def _surprise(
    head: Any, hidden: "Tensor", rows: Sequence[tuple["Tensor", "Tensor"]], starts: Sequence[int]
) -> tuple["Tensor", int]:
    """Cross entropy in nats, summed over the tokens that are trained, and their number."""
    trained = [(labels[1:] != IGNORED).nonzero()[:, 0] for _, labels in rows]
    at = torch.cat([start + predicting for start, predicting in zip(starts, trained, strict=True)])
    words = torch.cat([labels[1:][predicting] for (_, labels), predicting in zip(rows, trained, strict=True)])
    summed = _in_chunks(
        lambda states, right: functional.cross_entropy(head(states).float(), right, reduction="sum"),
        hidden[at.to(hidden.device)],
        words.to(hidden.device),
    )
    return summed, len(words)


def _drift(head: Any, hidden: "Tensor", rows: Sequence[KeepRow], starts: Sequence[int]) -> "Tensor":
    """KL(base || tuned) in nats a token."""
    at = torch.cat([
        torch.arange(start + row.start, start + len(row.ids)) for start, row in zip(starts, rows, strict=True)
    ])  # fmt: skip
    base = torch.cat([row.hidden for row in rows])
    summed = _in_chunks(
        lambda q, p: divergence(head(p), head(q)), hidden[at.to(hidden.device)], base.to(hidden.device)
    )  # fmt: skip
    return summed / len(at)


def divergence(base: "Tensor", tuned: "Tensor") -> "Tensor":
    """KL(base || tuned) in nats, summed over positions; both are logits of shape [positions, vocabulary]."""
    p, q = functional.log_softmax(base.detach().float(), -1), functional.log_softmax(tuned.float(), -1)
    return functional.kl_div(q, p, reduction="sum", log_target=True)


def _in_chunks(loss: Callable[["Tensor", "Tensor"], "Tensor"], states: "Tensor", others: "Tensor") -> "Tensor":
    """Sums `loss` over chunks of positions; a chunk's logits are computed again in the backward pass, never kept."""
    total = torch.zeros((), device=states.device)
    for begin in range(0, len(states), POSITIONS_AT_ONCE):
        at = slice(begin, begin + POSITIONS_AT_ONCE)
        total = total + checkpoint(loss, states[at], others[at], use_reentrant=False)
    return total
