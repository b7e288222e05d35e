"""Attention in lines that hold one sequence each, padded at its end: causal, without a mask, by torch's fastest kernel.

No token sees what comes after it, so padding at the end changes nothing, and neither a mask nor the sequences' ends are
needed: for long rows of about one length. Such passes have one shape, so that they are captured
(`toolkit.train.passes.cuda_graph`).
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch

from toolkit.model.families.attention import attention_by
from toolkit.model.families.sizes import head_size
from toolkit.train.passes.end_to_end import AGREEMENT

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.train.passes.batch import Batch

NAME = "lines"  # of the attention, to transformers
MOST_PADDING = 0.02  # of a pass's tokens; a captured pass without mask takes 10 % less time than one by ends
WIDTH = 24  # of the lines that are compared


def attention_by_lines(config: Any) -> AbstractContextManager[None]:
    """Within, the model of this configuration computes attention so.

    The backward pass belongs within, too: it may compute layers again.
    """
    return attention_by(config, NAME, _attention)


def is_by_lines(config: Any) -> bool:
    """Whether a model of this configuration computes attention so now."""
    return bool(config._attn_implementation == NAME)  # noqa: SLF001  # see docs/fragile.md


def line_inputs(batch: "Batch") -> Mapping[str, Any]:
    """Arguments of the model's forward pass. The mask is read by nobody: without one, the model would make its own."""
    mask = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=batch["ids"].device)
    return {"attention_mask": mask, "position_ids": batch["positions"]}


def lines_agree(causal: Any) -> bool:
    """Whether the loaded model's device computes it as its definition says: values and gradients, in the model's sizes.

    True of models for which `toolkit.train.passes.end_to_end.serves` holds, on a device that has such a kernel.
    """
    config, chance = causal.config, torch.Generator().manual_seed(0)
    sizes = (config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads)
    given = [
        torch.randn(2, heads, WIDTH, head_size(vars(config)), generator=chance).to(causal.device, causal.dtype)
        for heads in sizes
    ]
    try:
        found = _with_gradients(causal_attention, given)
    except RuntimeError:  # no such kernel
        return False
    times = sizes[0] // sizes[1]
    seen = torch.ones(WIDTH, WIDTH, dtype=torch.bool, device=causal.device).tril()

    def exact(query: "Tensor", key: "Tensor", value: "Tensor") -> "Tensor":
        key, value = (one.repeat_interleave(times, 1) for one in (key, value))
        return torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)

    expected = _with_gradients(exact, [one.float() for one in given])
    return all(
        float((one.float() - other).norm()) <= AGREEMENT * float(other.norm())
        for one, other in zip(found, expected, strict=True)
    )


def causal_attention(query: "Tensor", key: "Tensor", value: "Tensor", scaling: float | None = None) -> "Tensor":
    """Shapes [lines, heads, width, size]; keys and values may have fewer heads.

    cuDNN's kernel takes 1.2 ms for a line of 4096 tokens and 28 heads of 128, there and back, and torch's own 2.0 (one
    H200). It plans for each shape, of which there is one here.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    kernels = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]
    with sdpa_kernel(kernels, set_priority=True):
        return torch.nn.functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
        )


def _attention(
    _: Any, query: "Tensor", key: "Tensor", value: "Tensor", _mask: "Tensor", scaling: float | None = None,
    **_how: Any,
) -> tuple["Tensor", None]:  # fmt: skip
    """As transformers calls it. The result has the shape [lines, width, heads, size]."""
    return causal_attention(query, key, value, scaling).transpose(1, 2).contiguous(), None


def _with_gradients(attention: Any, given: "list[Tensor]") -> "list[Tensor]":
    states = [one.clone().requires_grad_() for one in given]
    found = attention(*states)
    return [found.detach(), *torch.autograd.grad(found.float().square().sum(), states)]
