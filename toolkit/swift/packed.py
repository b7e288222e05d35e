"""ms-swift's trainer, with rows laid end to end instead of padded, and logits where a token is predicted alone.

The loss is ms-swift's own, to rounding; what goes is the time and memory of padding and of 152 064 logits a token.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from swift.trainers import Seq2SeqTrainer
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from toolkit.encoding import IGNORED
from toolkit.swift.packing import pack

if TYPE_CHECKING:
    from torch import Tensor

POSITIONS_AT_ONCE = 256  # logits of 152 064 words in float32: 0.16 GB, a few of them live at once

TokensAndLabels = tuple["Tensor", "Tensor"]


class PackedTrainer(Seq2SeqTrainer):  # type: ignore[misc]
    """Evaluation is left to ms-swift."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if not model.training or return_outputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return self.loss_of(model, without_padding(inputs), num_items_in_batch)

    def loss_of(self, model: Any, rows: Sequence[TokensAndLabels], words_in_step: Any) -> "Tensor":
        """`words_in_step`: trained tokens of all micro-batches of the step; None where the loss is a mean of means."""
        hidden, starts = self.hidden(model, [ids for ids, _ in rows])
        return self.entropy(model, hidden, rows, starts, words_in_step)

    def entropy(
        self, model: Any, hidden: "Tensor", rows: Sequence[TokensAndLabels], starts: Sequence[int], words_in_step: Any
    ) -> "Tensor":
        """The rows' share of the step's mean cross entropy, in nats a token."""
        surprise, words = _surprise(self.head(model), hidden, rows, starts)
        entropy = surprise / (words if words_in_step is None else words_in_step)
        if self.args.average_tokens_across_devices and words_in_step is not None:
            entropy = entropy * self.accelerator.num_processes  # as ms-swift does: gradients are averaged later
        return entropy

    def head(self, model: Any) -> Any:
        return self.accelerator.unwrap_model(model).get_base_model().lm_head

    def hidden(self, model: Any, sequences: Sequence["Tensor"]) -> tuple["Tensor", tuple[int, ...]]:
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


def without_padding(inputs: dict[str, Any]) -> list[tuple["Tensor", "Tensor"]]:
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
    summed = in_chunks(
        lambda states, right: functional.cross_entropy(head(states).float(), right, reduction="sum"),
        hidden[at.to(hidden.device)],
        words.to(hidden.device),
    )
    return summed, len(words)


def in_chunks(loss: Callable[["Tensor", "Tensor"], "Tensor"], states: "Tensor", others: "Tensor") -> "Tensor":
    """Sums `loss` over chunks of positions; a chunk's logits are computed again in the backward pass, never kept."""
    total = torch.zeros((), device=states.device)
    for begin in range(0, len(states), POSITIONS_AT_ONCE):
        at = slice(begin, begin + POSITIONS_AT_ONCE)
        total = total + checkpoint(loss, states[at], others[at], use_reentrant=False)
    return total
