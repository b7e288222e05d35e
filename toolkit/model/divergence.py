"""KL(base || tuned) and token agreement: one definition for training's keep term, the stop callback and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.model.conversation import Messages

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
    import torch

    drifts: list[Drift] = []
    for start in range(0, len(prompts), batch_size):
        batch = slice(start, start + batch_size)
        with torch.inference_mode():
            with model.side(before):
                base_logits = model.answer_logits(prompts[batch], answers[batch])
            with model.side(after):
                tuned_logits = model.answer_logits((after_prompts or prompts)[batch], answers[batch])
            drifts += [
                _drift(base, tuned, len(answer.tokens))
                for base, tuned, answer in zip(base_logits, tuned_logits, answers[batch], strict=True)
            ]
    return drifts


def _drift(base_logits: "Tensor", tuned_logits: "Tensor", tokens: int) -> Drift:
    """Of one answer: its logits are the last `tokens` rows of both, shape [longest answer, vocabulary]."""
    base, tuned = (logits[len(logits) - tokens :] for logits in (base_logits, tuned_logits))
    return Drift(
        kl_sum=max(float(kl_divergence(base, tuned).sum()), 0.0),
        agreeing=int(token_agreement(base, tuned).sum()),
        tokens=tokens,
    )
