"""Logits with a chosen divergence, for a fake model's `answer_logits`."""

import math
from collections.abc import Sequence

import torch

from toolkit.model.language_model import Answer


def logits_with_kl(answers: Sequence[Answer], kl: float) -> torch.Tensor:
    """Logits over two tokens whose KL from those with `kl=0` is `kl` nats a token; both prefer the same token."""
    preferred = 2 * math.acosh(math.exp(kl))
    longest = max(len(answer.tokens) for answer in answers)
    return torch.tensor([preferred, 0.0]).expand(len(answers), longest, 2)
