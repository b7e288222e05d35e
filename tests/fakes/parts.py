"""In the place of a card's kernels (`train/passes/triton_kernels.py`): what they compute, by its definition."""

from collections import Counter
from typing import Any

import pytest
import torch
from torch.nn import functional

from toolkit.data.encoding import IGNORED


def gated_product(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    return functional.silu(gate) * up


def rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """A head's halves are the parts of complex numbers, each turned by its angle; `cos` and `sin` may be scaled."""
    half = x.shape[-1] // 2
    turn = torch.complex(cos[..., :half].float(), sin[..., :half].float())[:, None]
    found = torch.complex(x[..., :half].float(), x[..., half:].float()) * turn
    return torch.cat([found.real, found.imag], -1).to(x.dtype)


def of_logits(found: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    counted = targets != IGNORED
    chosen = found.float().log_softmax(-1).gather(1, targets.where(counted, 0)[:, None])[:, 0]
    return -(chosen * counted).sum()


def by_definition(patch: pytest.MonkeyPatch) -> Counter[str]:
    """Lets a CPU compute the parts; how often each was, by its name."""
    from toolkit.train.passes import fused_parts

    counted: Counter[str] = Counter()

    def counting(function: Any) -> Any:
        def count(*given: torch.Tensor) -> torch.Tensor:
            counted[function.__name__] += 1
            found: torch.Tensor = function(*given)
            return found

        return count

    patch.setattr(fused_parts, "FUSED_DEVICES", {"cpu"})
    for function in (gated_product, rotated, of_logits):
        patch.setattr(fused_parts, function.__name__, counting(function))
    return counted
