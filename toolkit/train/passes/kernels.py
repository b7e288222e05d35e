"""Fused kernels and chunked computation for a training pass."""

from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from toolkit.model.families.family import family_of

if TYPE_CHECKING:
    from torch import Tensor


POSITIONS_PER_CHUNK = 256  # logits over 152 064 tokens in float32: 0.16 GB, a few of them live at once
FUSED_DEVICES = {"cuda"}  # where torch has a fused kernel


def stop_own_dropout(model: Any) -> None:
    """Ends the dropout that a base model's own configuration asks for, as that of Seed-OSS does.

    Only the adapter's is part of a recipe, and the keep term compares with states that were computed without any.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if name.endswith("dropout") and isinstance(value, float):
                setattr(module, name, 0.0)


def fuse_norms(model: Any) -> None:
    """Makes this model's norms run in one kernel: the same function, rounded once instead of twice."""
    if model.device.type not in FUSED_DEVICES:
        return
    norms = family_of(model.config.to_dict()).norms
    for module in model.modules():
        if type(module).__name__ in norms:
            module.forward = MethodType(_fused_norm, module)


def _fused_norm(norm: Any, states: "Tensor") -> "Tensor":
    with torch.autocast(states.device.type, enabled=False):  # autocast would copy float32 in and out
        return functional.rms_norm(states, norm.weight.shape, norm.weight.to(states.dtype), norm.variance_epsilon)


def in_chunks(loss: Callable[..., "Tensor"], *columns: "Tensor", size: int = POSITIONS_PER_CHUNK) -> "Tensor":
    """Sums `loss` over chunks of `size` positions, whose logits the backward pass recomputes instead of keeping."""
    total = torch.zeros((), device=columns[0].device)
    for begin in range(0, len(columns[0]), size):
        chunk = (one[begin : begin + size] for one in columns)
        total = total + checkpoint(loss, *chunk, use_reentrant=False, preserve_rng_state=False)  # nothing is random
    return total
