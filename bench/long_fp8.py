"""An experiment of bench/long_passes.py: the frozen base's matrix products in FP8, the adapters' in bfloat16.

Weights are quantised once, with a scale for each output; again transposed, with a scale for each input, where gradients
pass through them in FP8, too. Activations and gradients get a scale for each token, at each product. Without a card the
same values are multiplied in float32.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from toolkit.train.passes.adapters import computing_by, plain_layers

if TYPE_CHECKING:
    from torch import Tensor

try:
    import triton  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from triton import language as tl
except ImportError:  # a CPU's torch comes without it
    triton = None

NARROW, WIDE = torch.float8_e4m3fn, torch.float8_e5m2
Quantised = tuple["Tensor", "Tensor"]  # rows in FP8, and a scale for each, float32, shape [rows, 1]
Weights = dict[int, tuple[Quantised, Quantised]]


def quantised(rows: "Tensor", dtype: torch.dtype = NARROW) -> Quantised:
    """Each row over its largest magnitude, in one kernel on a card."""
    most = torch.finfo(dtype).max
    if triton is not None and rows.is_cuda:
        found = torch.empty(rows.shape, dtype=dtype, device=rows.device)
        scales = torch.empty(len(rows), 1, dtype=torch.float32, device=rows.device)
        width = rows.shape[1]
        block = triton.next_power_of_2(width)
        _quantise[(len(rows),)](
            rows.contiguous(), found, scales, width, most, BLOCK=block, num_warps=16 if block > 8192 else 8
        )
        return found, scales
    scales = rows.abs().amax(1, keepdim=True).float().clamp(min=1e-12) / most
    return (rows.float() / scales).to(dtype), scales


if triton is not None:

    @triton.jit  # type: ignore[untyped-decorator,unused-ignore]
    def _quantise(rows, found, scales, width, most, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, N803
        row = tl.program_id(0).to(tl.int64)
        at = tl.arange(0, BLOCK)
        inside = at < width
        values = tl.load(rows + row * width + at, mask=inside, other=0.0).to(tl.float32)
        scale = tl.maximum(tl.max(tl.abs(values), 0), 1e-12) / most
        tl.store(scales + row, scale)
        tl.store(found + row * width + at, (values / scale).to(found.dtype.element_ty), mask=inside)


def product(one: Quantised, other: Quantised, bias: "Tensor | None" = None, *, fast: bool = False) -> "Tensor":
    """One times the other transposed, plus a bias, in bfloat16: as the card wants them, along the rows of both."""
    (left, left_scales), (right, right_scales) = one, other
    if left.is_cuda:
        return torch._scaled_mm(  # noqa: SLF001
            left, right.t(), left_scales, right_scales.t(), bias=bias, out_dtype=torch.bfloat16, use_fast_accum=fast
        )
    found = (left.float() * left_scales) @ (right.float() * right_scales).t()
    return (found if bias is None else found + bias).bfloat16()


class Fp8Linear(torch.autograd.Function):
    """As `toolkit.train.passes.adapters.AdaptedLinear`, but for the products with the base's weight."""

    @staticmethod
    def forward(
        ctx: Any, x: "Tensor", narrow: Quantised, weights: tuple[Quantised, Quantised], weight: "Tensor",
        bias: "Tensor | None", a: "Tensor", b: "Tensor", scale: float, backward: torch.dtype | None,
    ) -> "Tensor":  # fmt: skip
        with torch.autocast(x.device.type, enabled=False):
            rows = x.flatten(0, -2)
            found = product(narrow, weights[0], bias, fast=True)
            down = rows @ a.to(rows.dtype).t()
            found.addmm_(down, b.to(rows.dtype).t(), alpha=scale)
        ctx.save_for_backward(rows, down, weight, a, b)
        ctx.of_backward = backward, weights[1], scale, x.shape
        return found.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *of_output: "Tensor") -> "tuple[Tensor | None, ...]":
        rows, down, weight, a, b = ctx.saved_tensors
        dtype, transposed, scale, shape = ctx.of_backward
        above = of_output[0].flatten(0, -2)
        through = above @ b.to(rows.dtype)
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = above @ weight if dtype is None else product(quantised(above, dtype), transposed)
            of_x = of_x.addmm_(through, a.to(rows.dtype), alpha=scale).view(shape)
        of_a = (through.t() @ rows).to(a.dtype) * scale
        of_b = (above.t() @ down).to(b.dtype) * scale
        return of_x, None, None, None, None, of_a, of_b, None, None


@contextmanager
def fp8_layers(model: Any, weights: Weights, backward: torch.dtype | None) -> Iterator[None]:
    """Within, adapted layers multiply with the base in FP8; `backward`: the type of gradients there, None: bfloat16.

    `weights`: filled the first time.
    """
    last: list[Any] = [None, None]  # queries, keys and values read the same states: these are quantised once

    def forward(layer: Any, x: "Tensor") -> "Tensor":
        if last[0] is not x:
            last[:] = x, quantised(x.detach().flatten(0, -2))
        [name] = layer.active_adapters
        base = layer.base_layer
        found: Tensor = Fp8Linear.apply(  # type: ignore[no-untyped-call]
            x, last[1], weights[id(layer)], base.weight, base.bias, layer.lora_A[name].weight,
            layer.lora_B[name].weight, layer.scaling[name], backward,
        )  # fmt: skip
        return found

    layers = plain_layers(model)
    for layer in layers:
        if id(layer) not in weights:
            weight = layer.base_layer.weight.detach()
            weights[id(layer)] = quantised(weight), quantised(weight.t().contiguous())
    with computing_by(forward, layers):
        yield
