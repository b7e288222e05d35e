"""Attention in lines that hold one sequence each, padded at its end: causal, without a mask, by torch's fastest kernel.

No token sees what comes after it, so padding at the end changes nothing, and neither a mask nor the sequences' ends are
needed: for captured passes of long rows of about one length (`toolkit.train.passes.shape`).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch

from toolkit.model.families.attention import attention_by
from toolkit.model.families.sizes import head_size
from toolkit.train.passes.end_to_end import AGREEMENT
from toolkit.train.passes.kernels import alike

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn.attention import SDPBackend

NAME = "lines"  # of the attention, to transformers
WIDTH = 24  # of the short lines that are compared
HOPPER = 9  # of the compute capability. cuDNN's kernel is slower on Ampere and Blackwell: transformers #48163


def attention_by_lines(config: Any) -> AbstractContextManager[None]:
    """Within, the model of this configuration computes attention so.

    The backward pass belongs within, too: it may compute layers again.
    """
    return attention_by(config, NAME, _attention)


def is_by_lines(config: Any) -> bool:
    """Whether a model of this configuration computes attention so now."""
    return bool(config._attn_implementation == NAME)  # noqa: SLF001  # see docs/fragile.md


def lines_agree(causal: Any, width: int) -> bool:
    """Whether the loaded model's device computes it as its definition says: values and gradients, in the model's sizes.

    Short lines are compared with the definition, lines of this width with torch's own kernel. True of models for which
    `toolkit.train.passes.end_to_end.serves` holds, on a device that has such kernels.
    """
    try:
        found, expected = (_computed(causal, WIDTH, by) for by in (causal_attention, _defined))
        wide, by_torch = (_computed(causal, width, by) for by in (causal_attention, _by_torch))
    except RuntimeError:  # no such kernel, or none for this width
        return False
    return alike((*found, *wide), (*expected, *by_torch), AGREEMENT)


def causal_attention(query: "Tensor", key: "Tensor", value: "Tensor", scaling: float | None = None) -> "Tensor":
    """Shapes [lines, heads, width, size]; keys and values may have fewer heads.

    cuDNN's kernel takes 1.2 ms for a line of 4096 tokens and 28 heads of 128, there and back, and torch's own 2.0 (one
    H200). It plans for each shape, which takes it some tenths of a second; captured passes have one.
    """
    return _by_kernel(query, key, value, scaling, fastest_kernel(query.device))


def fastest_kernel(device: torch.device) -> "SDPBackend":
    from torch.nn.attention import SDPBackend

    if device.type != "cuda":
        return SDPBackend.MATH
    is_hopper = torch.cuda.get_device_capability(device)[0] == HOPPER
    return SDPBackend.CUDNN_ATTENTION if is_hopper else SDPBackend.FLASH_ATTENTION


def _by_torch(query: "Tensor", key: "Tensor", value: "Tensor") -> "Tensor":
    from torch.nn.attention import SDPBackend

    return _by_kernel(query, key, value, None, SDPBackend.FLASH_ATTENTION if query.is_cuda else SDPBackend.MATH)


def _by_kernel(
    query: "Tensor", key: "Tensor", value: "Tensor", scaling: float | None, kernel: "SDPBackend"
) -> "Tensor":  # fmt: skip
    """Raises RuntimeError on a card without it. The choice holds for the process, and for no longer than this call."""
    from torch.nn.attention import sdpa_kernel

    with sdpa_kernel([kernel]):
        return torch.nn.functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
        )


def _defined(query: "Tensor", key: "Tensor", value: "Tensor") -> "Tensor":
    times, width = query.shape[1] // key.shape[1], query.shape[2]
    query, key, value = query.float(), *(one.float().repeat_interleave(times, 1) for one in (key, value))
    seen = torch.ones(width, width, dtype=torch.bool, device=query.device).tril()
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)


def _computed(causal: Any, width: int, attention: Callable[..., "Tensor"]) -> "list[Tensor]":
    """Its values, and its gradients to queries, keys and values, which lie in memory as a model's do."""
    config, chance = causal.config, torch.Generator().manual_seed(0)
    heads = (config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads)
    given = [
        torch.randn(1, width, one, head_size(vars(config)), generator=chance).to(causal.device, causal.dtype)
        for one in heads
    ]
    states = [one.transpose(1, 2).requires_grad_() for one in given]
    found = attention(*states)
    return [found.detach(), *torch.autograd.grad(found.float().square().sum(), states)]


def _attention(
    _: Any, query: "Tensor", key: "Tensor", value: "Tensor", _mask: "Tensor", scaling: float | None = None,
    **_how: Any,
) -> tuple["Tensor", None]:  # fmt: skip
    """As transformers calls it. The result has the shape [lines, width, heads, size]."""
    return causal_attention(query, key, value, scaling).transpose(1, 2).contiguous(), None
