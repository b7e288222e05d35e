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

from toolkit.model.divergence import kl_divergence
from toolkit.train.passes.batch import TrainSequence

if TYPE_CHECKING:
    from torch import Tensor


BATCH_SIZE = 32


@dataclass(frozen=True, kw_only=True)
class KeepTerm:
    """`rows_a_step` are shared evenly among the micro-batches of a step."""

    rows: Sequence[TrainSequence]
    weight: float
    rows_a_step: int
    seed: int
    held_out: Sequence[TrainSequence] = ()  # never trained on: the drift is measured there


def observe_base(model: Any, encoded: Sequence[tuple[list[int], int]], pad: int) -> list[TrainSequence]:
    """The base's hidden states for (ids, start) pairs; `model` has no adapter yet."""
    rows: list[TrainSequence | None] = [None] * len(encoded)
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
            rows[at] = TrainSequence(
                ids=ids[row], at=predicting, target=hidden[row, start:length].cpu().clone(), kept=True
            )
    return [row for row in rows if row is not None]


def _padded(ids: Sequence["Tensor"], pad: int, device: Any) -> tuple["Tensor", "Tensor"]:
    """Token ids and mask, padded on the right, both shape [rows, longest]."""
    inputs = torch.nn.utils.rnn.pad_sequence(list(ids), batch_first=True, padding_value=pad)
    lengths = torch.tensor([len(one) for one in ids])
    mask = (torch.arange(inputs.shape[1]) < lengths[:, None]).long()
    return inputs.to(device), mask.to(device)


def drift(model: Any, rows: Sequence[TrainSequence], pad: int) -> float:
    """KL(base || tuned) in nats a token, over the base model's own answers; `model` has its adapter on."""
    causal = model.get_base_model()
    tuned = observe_base(causal, [(row.ids.tolist(), int(row.at[0])) for row in rows], pad)
    with torch.no_grad():
        sums = [
            kl_divergence(*(causal.lm_head(row.target.to(causal.device)) for row in (base, now))).sum()
            for base, now in zip(rows, tuned, strict=True)
        ]
    return float(sum(sums)) / sum(len(row.at) for row in rows)
