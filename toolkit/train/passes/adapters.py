"""A linear layer with its adapter as one function: what lies between the two is neither written nor kept.

y = x W' + bias + scale * (x A') B'. peft computes the adapter's product, its scaled copy and the sum one after the
other, each as large as the layer's output, and the backward pass again; here products are added where the sum lies
already (the beta and alpha of a matrix product). For the backward pass x is kept, which the layers that read it
share, and x A', which has as many columns as the adapter has ranks.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

FUSED_DEVICES = {"cuda"}
ADAPTED = "peft.tuners.lora.layer.Linear"  # the one class of peft's that computes just this


@contextmanager
def fused_adapters(model: Any) -> Iterator[None]:
    """Within, the adapted layers of this peft model compute as above while they train; otherwise as peft does.

    Layers that compute something else stay as they are: quantised ones, those with dropout or another kind of adapter.
    """
    with computing_by(_forward, plain_layers(model) if model.device.type in FUSED_DEVICES else ()):
        yield


@contextmanager
def computing_by(forward: Callable[..., Any], layers: Iterable[Any]) -> Iterator[None]:
    """Within, these layers compute by this function, which gets the layer first."""
    layers = list(layers)
    for layer in layers:
        layer.forward = MethodType(forward, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


@contextmanager
def listed_parameters(model: Any) -> Iterator[None]:
    """Within, `model.parameters()` goes through a list. No parameter may be added or replaced meanwhile.

    torch goes through all modules for it, each adapted layer several, and a training asks at each step, to clip
    gradients and to clear them: 6 of the 14 ms between two passes of a model of 28 layers (two cores of a Xeon).
    """
    every, ask = tuple(model.parameters()), model.parameters
    model.parameters = lambda recurse=True: iter(every) if recurse else ask(recurse=False)
    try:
        yield
    finally:
        del model.parameters


def plain_layers(model: Any) -> list[Any]:
    """Those that the function below computes."""
    return [one for one in model.modules() if _is_plain(one)]


class AdaptedLinear(torch.autograd.Function):
    """Of x, weight, bias, A, B, scale. Weight and bias are frozen; A and B may be float32 beside a narrower x."""

    @staticmethod
    def forward(
        ctx: Any, x: "Tensor", weight: "Tensor", bias: "Tensor | None", a: "Tensor", b: "Tensor", scale: float
    ) -> "Tensor":
        dtype = _dtype(x)
        with torch.autocast(x.device.type, enabled=False):
            rows, narrow_a, narrow_b = x.flatten(0, -2).to(dtype), a.to(dtype), b.to(dtype)
            found = functional.linear(rows, weight.to(dtype), None if bias is None else bias.to(dtype))
            down = rows @ narrow_a.t()
            found.addmm_(down, narrow_b.t(), alpha=scale)
        ctx.save_for_backward(rows, down, weight, a, b)
        ctx.scale, ctx.shape, ctx.dtype = scale, x.shape, x.dtype
        return found.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *of_output: "Tensor") -> "tuple[Tensor | None, ...]":
        rows, down, weight, a, b = ctx.saved_tensors
        with torch.autocast(rows.device.type, enabled=False):
            above = of_output[0].flatten(0, -2).to(rows.dtype)
            through = above @ b.to(rows.dtype)
            of_x = None
            if ctx.needs_input_grad[0]:
                of_x = above @ weight.to(rows.dtype)
                of_x.addmm_(through, a.to(rows.dtype), alpha=ctx.scale)
                of_x = of_x.view(ctx.shape).to(ctx.dtype)
            of_a = (through.t() @ rows).to(a.dtype) * ctx.scale
            of_b = (above.t() @ down).to(b.dtype) * ctx.scale
        return of_x, None, None, of_a, of_b, None


def _dtype(x: "Tensor") -> torch.dtype:
    """Of the products: autocast's, as for peft's own layers, or that of x."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def _is_plain(layer: Any) -> bool:
    """Whether this module is a layer that the function computes: linear, frozen, with plain adapters."""
    return (
        f"{type(layer).__module__}.{type(layer).__name__}" == ADAPTED
        and type(layer.base_layer) is torch.nn.Linear
        and not layer.lora_variant
        and not layer.fan_in_fan_out
        and not any(getattr(one, "p", 0) for one in layer.lora_dropout.values())
        and not any(layer.lora_bias.values())
        and not any(one.requires_grad for one in layer.base_layer.parameters())
    )


def _forward(layer: Any, x: "Tensor", *more: Any, **how: Any) -> "Tensor":
    """As peft's own, which it is whenever the layer does anything but train one adapter."""
    names = [one for one in layer.active_adapters if one in layer.lora_A]
    if not layer.training or layer.disable_adapters or layer.merged or more or how or len(names) != 1:
        plain: Tensor = type(layer).forward(layer, x, *more, **how)
        return plain
    [name] = names
    fused: Tensor = AdaptedLinear.apply(  # type: ignore[no-untyped-call]
        x, layer.base_layer.weight, layer.base_layer.bias, layer.lora_A[name].weight, layer.lora_B[name].weight,
        layer.scaling[name],
    )  # fmt: skip
    return fused
