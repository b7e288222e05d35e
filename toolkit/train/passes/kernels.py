"""Fused kernels and chunked computation for a training pass."""

from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm

if TYPE_CHECKING:
    from torch import Tensor


POSITIONS_PER_CHUNK = 256  # logits of 152 064 words in float32: 0.16 GB, a few of them live at once
FUSED = {"cuda"}  # where torch has such a kernel


def fuse_norms(model: Any) -> None:
    """Of this module tree alone, from here on. What they compute is the same, but rounded once instead of twice."""
    if model.device.type not in FUSED:
        return
    for module in model.modules():
        if isinstance(module, Qwen2RMSNorm):
            module.forward = MethodType(_normed, module)


def _normed(norm: Any, states: "Tensor") -> "Tensor":
    with torch.autocast(states.device.type, enabled=False):  # it would have float32 copied in and out
        return functional.rms_norm(states, norm.weight.shape, norm.weight.to(states.dtype), norm.variance_epsilon)


def in_chunks(loss: Callable[..., "Tensor"], *columns: "Tensor") -> "Tensor":
    """Sums `loss` over chunks of positions; a chunk's logits are computed again in the backward pass, never kept."""
    total = torch.zeros((), device=columns[0].device)
    for begin in range(0, len(columns[0]), POSITIONS_PER_CHUNK):
        chunk = (one[begin : begin + POSITIONS_PER_CHUNK] for one in columns)
        total = total + checkpoint(loss, *chunk, use_reentrant=False, preserve_rng_state=False)  # no chance in it
    return total
