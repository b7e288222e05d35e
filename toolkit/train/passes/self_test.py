"""Whether a model of an architecture that nobody has tried here computes what training and answering rely on.

Compared on the model's own weights: each of the toolkit's ways against the model's own forward pass over one sequence.
"""

import random
from collections.abc import Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

import torch

from toolkit.core.errors import ModelError, first_line
from toolkit.model.families.network import decoder, embedded, logits
from toolkit.model.generation import DecodingBatch, Row, Token
from toolkit.train.passes.batch import TrainSequence, lay_out
from toolkit.train.passes.masks import attention_inputs

if TYPE_CHECKING:
    from torch import Tensor

LENGTHS = (7, 12, 24)  # tokens of the sequences
NEW_TOKENS = 6
# Of the logits' own spread: a wrong scale or mask moves them by a large part of it.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.05}


def require_alike(causal: Any, pad: int) -> None:
    """Raises ModelError, which names what differs. `causal`: loaded, without an adapter; `pad`: a token id."""
    chance = random.Random(0)  # noqa: S311  # repeatable, not a secret
    vocabulary = causal.get_input_embeddings().weight.shape[0]
    sequences = [torch.tensor([chance.randrange(vocabulary) for _ in range(length)]) for length in LENGTHS]
    try:
        with torch.inference_mode():
            faults = list(_faults(causal.eval(), sequences, pad))
    except Exception as error:  # noqa: BLE001  # whatever a model that nobody tried raises is an answer
        faults = [f"what the toolkit does with a model fails with it ({type(error).__name__}: {first_line(error)})"]
    if faults:
        raise ModelError(
            f"A {causal.config.model_type} model cannot be trained here: {' and '.join(faults)}.",
            next="Use a model of another architecture: docs/models.md lists them.",
        )


def _faults(causal: Any, sequences: list["Tensor"], pad: int) -> Iterator[str]:
    alone = [_own_logits(causal, ids) for ids in sequences]
    spread = torch.cat(alone).std()
    allowed = TOLERANCE.get(causal.dtype, TOLERANCE[torch.bfloat16]) * spread
    rows = [
        TrainSequence(ids=ids, positions=torch.arange(len(ids)), targets=ids, is_keep=False) for ids in sequences
    ]  # fmt: skip
    batch = lay_out(rows, pad, 0, plain=True) or {}
    batch = {name: one.to(causal.device) for name, one in batch.items()}
    inputs = attention_inputs(causal, batch, plain=True)
    states = decoder(causal)(inputs_embeds=embedded(causal, batch["ids"]), use_cache=False, **inputs).last_hidden_state
    padded = logits(causal, states.flatten(0, 1)[batch["row_positions"]]).float()
    if (padded - torch.cat(alone)).abs().max() > allowed:
        yield "the logits of a padded batch are not those of its rows"
    if any(gap > allowed for ids, answer in _cached(causal, sequences, pad) for gap in _gaps(causal, ids, answer)):
        yield "its answers with a cache of keys and values are not those without"


def _own_logits(causal: Any, ids: "Tensor") -> "Tensor":
    """Shape [tokens, vocabulary], float32."""
    found: Tensor = causal(input_ids=ids[None].to(causal.device), use_cache=False).logits[0].float()
    return found


def _cached(causal: Any, sequences: list["Tensor"], pad: int) -> list[tuple["Tensor", list[Token]]]:
    """Each sequence with its greedy answer in a batch that others join and leave, as the toolkit serves them."""
    batch = DecodingBatch(causal, pad_token=pad)
    rows = [Row(prompt=ids.tolist(), top_logprobs=1) for ids in sequences]
    answers: dict[Row, list[Token]] = {row: [] for row in rows}

    def take(tokens: Sequence[Token | None], of: Sequence[Row]) -> None:
        for row, token in zip(of, tokens, strict=True):
            answers[row].append(token or Token(id=0))

    take(batch.join(rows[:-1]), rows[:-1])
    take(batch.step(), batch.rows)
    take(batch.join(rows[-1:]), rows[-1:])
    for _ in range(NEW_TOKENS):
        take(batch.step(), batch.rows)
    batch.leave(rows[-1:])  # the longest, and padding that only it needed
    take(batch.step(), batch.rows)
    return [(ids, answers[row]) for ids, row in zip(sequences, rows, strict=True)]


def _gaps(causal: Any, ids: "Tensor", answer: Sequence[Token]) -> "Tensor":
    """How far each token's log probability is from that without a cache; infinite for one that could not be chosen."""
    chosen = torch.tensor([token.id for token in answer], device=causal.device)
    found = _own_logits(causal, torch.cat([ids.to(causal.device), chosen]))[len(ids) - 1 : -1].log_softmax(-1)
    cached = [-inf if token.logprob is None else token.logprob for token in answer]
    return (found.gather(1, chosen[:, None])[:, 0] - torch.tensor(cached, device=causal.device)).abs()
