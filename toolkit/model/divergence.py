"""KL(base || tuned) and token agreement: one definition for training's keep term, the stop callback and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.model.conversation import Messages
from toolkit.model.decoding.spread import spread

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.model.language_model import Answer, LanguageModel


def kl_divergence(base_logits: "Tensor", tuned_logits: "Tensor") -> "Tensor":
    """KL(base || tuned) in nats per position, float32, shape [...]; both logits have shape [..., vocabulary].

    Gradients flow through `tuned_logits` only.
    """
    from torch.nn import functional

    base = functional.log_softmax(base_logits.detach().float(), -1)
    tuned = functional.log_softmax(tuned_logits.float(), -1)
    return functional.kl_div(tuned, base, reduction="none", log_target=True).sum(-1)


def token_agreement(base_logits: "Tensor", tuned_logits: "Tensor") -> "Tensor":
    """Whether both have the same most likely token, bool, shape [...]; both logits have shape [..., vocabulary]."""
    return base_logits.argmax(-1) == tuned_logits.argmax(-1)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How far one answer's distributions moved: summed KL(before || after) in nats, equal top tokens, tokens."""

    kl_sum: float
    agreeing: int
    tokens: int


def measure_drift(
    model: "LanguageModel",
    prompts: Sequence[Messages],
    answers: Sequence["Answer"],
    *,
    before: str | None,
    after: str | None,
    after_prompts: Sequence[Messages] | None = None,
    batch_size: int = 8,
) -> list[Drift]:
    """The drift between two adapters (None: the base) over the tokens of `answers`, the before side's own.

    `after_prompts`: the after side's prompts, when its system prompt differs.
    """
    slices = [slice(start, start + batch_size) for start in range(0, len(prompts), batch_size)]
    jobs = [
        _Batch(
            prompts=prompts[one], after_prompts=(after_prompts or prompts)[one], answers=answers[one],
            before=before, after=after,
        ) for one in slices
    ]  # fmt: skip
    found = dict(spread(model, _drifts, jobs, switches=True))
    return [drift for at in range(len(jobs)) for drift in found[at]]


@dataclass(frozen=True, kw_only=True)
class _Batch:
    prompts: Sequence[Messages]
    after_prompts: Sequence[Messages]
    answers: Sequence["Answer"]
    before: str | None
    after: str | None


def _drifts(model: "LanguageModel", batch: _Batch) -> list[Drift]:
    import torch

    with torch.inference_mode():
        with model.side(batch.before):
            base_logits = model.answer_logits(batch.prompts, batch.answers)
        with model.side(batch.after):
            tuned_logits = model.answer_logits(batch.after_prompts, batch.answers)
        return [
            _drift(base, tuned, len(answer.tokens))
            for base, tuned, answer in zip(base_logits, tuned_logits, batch.answers, strict=True)
        ]


def _drift(base_logits: "Tensor", tuned_logits: "Tensor", tokens: int) -> Drift:
    """Of one answer: its logits are the last `tokens` rows of both, shape [longest answer, vocabulary]."""
    base, tuned = (logits[len(logits) - tokens :] for logits in (base_logits, tuned_logits))
    return Drift(
        kl_sum=max(float(kl_divergence(base, tuned).sum()), 0.0),
        agreeing=int(token_agreement(base, tuned).sum()),
        tokens=tokens,
    )
