"""The keep term: it holds the model to the base model's own answers to the keep prompts.

loss = cross entropy(rows) + weight * KL(base || tuned) over the base model's answers. Related: learning without
forgetting (Li & Hoiem 2016, arXiv 1606.09282) and the KL term of RLHF. The base is the same network before it gets an
adapter: its last hidden states at the answers' positions are computed once, a few kilobytes a token, so a step costs
one forward and backward pass over both kinds of row, and no second copy of the model.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from toolkit.model.decoding.answer_memory import batches
from toolkit.model.divergence import kl_divergence
from toolkit.model.families.network import decoder, logits
from toolkit.train.keep_set import draw_rows
from toolkit.train.passes.batch import TrainSequence

if TYPE_CHECKING:
    from torch import Tensor


BATCH_SIZE = 32


@dataclass(frozen=True, kw_only=True)
class KeepTerm:
    """`rows_per_step` are shared evenly among the micro-batches of a step; `held_out` rows are only measured.

    `near`: rows near the trained ones, `near_per_step` of which a step takes beside the others; where there are fewer,
    others take their place.
    """

    rows: Sequence[TrainSequence]
    weight: float
    rows_per_step: int
    seed: int
    held_out: Sequence[TrainSequence] = ()
    near: Sequence[TrainSequence] = ()
    near_per_step: int = 0

    @property
    def near_drawn(self) -> int:
        """The near rows of a step."""
        return min(self.near_per_step, len(self.near))

    def draw(self, draw: int, passes: int) -> list[TrainSequence]:
        """The keep rows of the `draw`-th pass since training began, `passes` of which make a step.

        A function of the seed and of that number, so that a resumed training takes the same rows.
        """
        step, number = divmod(draw, passes)
        rows = draw_rows(len(self.rows), draw, self.rows_per_pass(passes), self.seed)
        near = draw_rows(len(self.near), step, self.near_drawn, self.seed)[number::passes] if self.near_drawn else []
        return [*(self.rows[at] for at in rows), *(self.near[at] for at in near)]

    def sample(self, chance: random.Random, passes: int) -> list[TrainSequence]:
        """The keep rows of a random pass, to estimate how long they are."""
        near = chance.choices(self.near, k=-(-self.near_drawn // passes)) if self.near_drawn else []
        return chance.choices(self.rows, k=self.rows_per_pass(passes)) + near

    def rows_per_pass(self, passes: int) -> int:
        return max(1, (self.rows_per_step + self.near_per_step - self.near_drawn) // passes)


def keep_sequences(
    model: Any, encoded: Sequence[tuple[list[int], int]], pad: int, most_tokens: int | None = None
) -> list[TrainSequence]:
    """Keep rows with the hidden states of `model`, a causal language model, at the answers' positions.

    `encoded`: token ids of prompt and answer, and the position that predicts the answer's first token. `most_tokens`:
    that are read at once, if the card has no room for more.
    """
    rows: list[TrainSequence | None] = [None] * len(encoded)
    lengths = [len(ids) for ids, _ in encoded]
    order = sorted(range(len(encoded)), key=lengths.__getitem__)
    fitting = None if most_tokens is None else lambda longest: max(1, most_tokens // longest)
    for batch in batches(lengths, order, most=BATCH_SIZE, fitting=fitting):
        ids = [torch.tensor(encoded[at][0]) for at in batch]
        inputs, mask = _padded(ids, pad, model.device)
        with torch.no_grad():
            hidden = decoder(model)(input_ids=inputs, attention_mask=mask, use_cache=False).last_hidden_state
        for number, at in enumerate(batch):
            start, length = encoded[at][1], len(encoded[at][0])
            states = hidden[number, start:length].cpu().clone()
            rows[at] = TrainSequence(
                ids=ids[number], positions=torch.arange(start, length), targets=states, is_keep=True
            )
    return [row for row in rows if row is not None]


def _padded(ids: Sequence["Tensor"], pad: int, device: Any) -> tuple["Tensor", "Tensor"]:
    """Token ids and mask, padded on the right, both shape [rows, longest]."""
    inputs = torch.nn.utils.rnn.pad_sequence(list(ids), batch_first=True, padding_value=pad)
    lengths = torch.tensor([len(one) for one in ids])
    mask = (torch.arange(inputs.shape[1]) < lengths[:, None]).long()
    return inputs.to(device), mask.to(device)


def mean_kl(model: Any, rows: Sequence[TrainSequence], pad: int, most_tokens: int | None = None) -> float:
    """KL(base || tuned) in nats a token on keep rows; `model` is a peft model with its adapter on."""
    causal = model.get_base_model()
    tuned = keep_sequences(causal, [(row.ids.tolist(), int(row.positions[0])) for row in rows], pad, most_tokens)
    with torch.no_grad():
        sums = [
            kl_divergence(*(logits(causal, row.targets.to(causal.device)) for row in (base, now))).sum()
            for base, now in zip(rows, tuned, strict=True)
        ]
    return float(sum(sums)) / sum(len(row.positions) for row in rows)
