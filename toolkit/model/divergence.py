"""KL(base || tuned) and token agreement: one definition, for the training's keep term and for the verdict."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


def divergence(base: "Tensor", tuned: "Tensor") -> "Tensor":
    """KL(base || tuned) in nats, shape [positions]; both are logits of shape [positions, vocabulary]."""
    p, q = functional.log_softmax(base.detach().float(), -1), functional.log_softmax(tuned.float(), -1)
    return functional.kl_div(q, p, reduction="none", log_target=True).sum(-1)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Two sides on the same tokens: summed KL(before ‖ after) in nats, equal top tokens, tokens."""

    kl_sum: float
    agreeing: int
    tokens: int
