"""Fused kernels and chunked computation for a training pass."""

from collections.abc import Callable, Iterable
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

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


def drops(model: Any) -> bool:
    """Whether anything in the model is left out at random."""
    return any(isinstance(one, torch.nn.Dropout) and one.p > 0 for one in model.modules())


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
    """Sums `loss` over chunks of `size` positions; gradients flow into the first of the columns.

    A chunk's gradient is computed together with its loss, while its logits exist. So they are computed once, and
    neither kept for the backward pass nor computed again in it.
    """
    total: Tensor = _GradientsAhead.apply(loss, size, *columns)  # type: ignore[no-untyped-call]
    return total


class _GradientsAhead(torch.autograd.Function):
    """The sum over chunks; the backward pass multiplies gradients that are there already."""

    @staticmethod
    def forward(ctx: Any, loss: Callable[..., "Tensor"], size: int, states: "Tensor", *more: "Tensor") -> "Tensor":
        wanted = ctx.needs_input_grad[2]
        total = torch.zeros((), device=states.device)
        gradients = torch.empty_like(states) if wanted else None
        for begin in range(0, len(states), size):
            part = slice(begin, begin + size)
            with torch.set_grad_enabled(wanted):
                chunk = states[part].detach().requires_grad_(wanted)
                found = loss(chunk, *(one[part] for one in more))
            total += found.detach()
            if gradients is not None:
                gradients[part] = torch.autograd.grad(found, chunk)[0]
        ctx.save_for_backward(gradients)
        return total

    @staticmethod
    def backward(ctx: Any, *of_total: "Tensor") -> "tuple[Tensor | None, ...]":
        [gradients] = ctx.saved_tensors
        # A factor that bfloat16 would round: the weight of a nat in its step.
        own = None if gradients is None else (gradients.float() * of_total[0]).to(gradients.dtype)
        return (None, None, own, *([None] * (len(ctx.needs_input_grad) - 3)))


def alike(found: "Iterable[Tensor]", expected: "Iterable[Tensor]", gap: float) -> bool:
    """Whether each of these tensors differs from its counterpart by at most this share of the latter's norm."""
    return all(
        float((one.float() - other.float()).norm()) <= gap * float(other.float().norm())
        for one, other in zip(found, expected, strict=True)
    )
