"""Parts of a layer and of the loss, each as one kernel forwards and one backwards. Needs Triton, which torch brings.

All are computed in float32 and rounded once; torch rounds after each operation, and writes and reads its result.
`toolkit.train.passes.fused_parts` decides where they are used.
"""

from typing import TYPE_CHECKING, Any

import torch
import triton  # type: ignore[import-not-found,import-untyped,unused-ignore]
from triton import language as tl

if TYPE_CHECKING:
    from torch import Tensor

ELEMENTS = 1024  # of a program: eight for each thread, which it reads at once
LARGEST_BLOCK = 32768  # logits that a program holds


class GatedProduct(torch.autograd.Function):
    """silu(gate) * up, of one shape. Keeps its two factors for the backward pass, and torch's operations a third."""

    @staticmethod
    def forward(ctx: Any, gate: "Tensor", up: "Tensor") -> "Tensor":
        gate, up = gate.contiguous(), up.contiguous()
        ctx.save_for_backward(gate, up)
        found = torch.empty_like(gate)
        _gated[_programs(gate)](gate, up, found, gate.numel(), BLOCK=ELEMENTS)
        return found

    @staticmethod
    def backward(ctx: Any, *of_output: "Tensor") -> "tuple[Tensor, Tensor]":
        gate, up = ctx.saved_tensors
        of_gate, of_up = torch.empty_like(gate), torch.empty_like(up)
        above = of_output[0].contiguous()
        _gated_backward[_programs(gate)](above, gate, up, of_gate, of_up, gate.numel(), BLOCK=ELEMENTS)
        return of_gate, of_up


class Rotation(torch.autograd.Function):
    """Rotary positions: of x, shape [lines, heads, width, size], and cos and sin, [lines or 1, width, size].

    The halves of a head are the parts of complex numbers, as Llama and Qwen2 have them; so cos repeats its first half.
    """

    @staticmethod
    def forward(ctx: Any, x: "Tensor", cos: "Tensor", sin: "Tensor") -> "Tensor":
        ctx.save_for_backward(cos, sin)
        return _rotated(x, cos, sin, sign=1)

    @staticmethod
    def backward(ctx: Any, *of_output: "Tensor") -> "tuple[Tensor, None, None]":
        return _rotated(of_output[0], *ctx.saved_tensors, sign=-1), None, None


class CrossEntropy(torch.autograd.Function):
    """The sum over rows of logits, [rows, vocabulary], in nats; rows whose target is `ignored` count nothing.

    Gradients take the place of the logits, which nobody may read any more.
    """

    @staticmethod
    def forward(ctx: Any, logits: "Tensor", targets: "Tensor", ignored: int) -> "Tensor":
        rows, count = logits.shape
        losses = torch.empty(rows, dtype=torch.float32, device=logits.device)
        block = min(LARGEST_BLOCK, triton.next_power_of_2(count))
        _cross_entropy[(rows,)](
            logits, logits.stride(0), targets, losses, ignored, COUNT=count, BLOCK=block,
            num_warps=max(4, block // ELEMENTS),  # 32 logits of a thread
        )  # fmt: skip
        ctx.save_for_backward(logits)
        return losses.sum()

    @staticmethod
    def backward(ctx: Any, *of_total: "Tensor") -> "tuple[Tensor, None, None]":
        [gradients] = ctx.saved_tensors
        return gradients.mul_(of_total[0]), None, None


def _programs(one: "Tensor") -> tuple[int]:
    return (triton.cdiv(one.numel(), ELEMENTS),)


def _rotated(x: "Tensor", cos: "Tensor", sin: "Tensor", *, sign: int) -> "Tensor":
    """Laid out as [lines, width, heads, size], like the products that heads are cut from."""
    lines, heads, width, size = x.shape
    cos, sin = (one.contiguous().expand(lines, width, size) for one in (cos, sin))
    x = x if x.stride(-1) == 1 else x.contiguous()
    found = torch.empty(lines, width, heads, size, dtype=x.dtype, device=x.device).transpose(1, 2)
    _rotate[(lines * width,)](
        x, *x.stride()[:3], cos, sin, *cos.stride()[:2], found, *found.stride()[:3], width, heads, size // 2,
        SIGN=sign, HEADS=triton.next_power_of_2(heads), HALF=triton.next_power_of_2(size // 2),
    )  # fmt: skip
    return found


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _gated(gate, up, found, count, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, N803
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    g = tl.load(gate + at, mask=inside, other=0.0).to(tl.float32)
    u = tl.load(up + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(found + at, (g * tl.sigmoid(g) * u).to(found.dtype.element_ty), mask=inside)


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _gated_backward(above, gate, up, of_gate, of_up, count, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, N803
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    d = tl.load(above + at, mask=inside, other=0.0).to(tl.float32)
    g = tl.load(gate + at, mask=inside, other=0.0).to(tl.float32)
    u = tl.load(up + at, mask=inside, other=0.0).to(tl.float32)
    share = tl.sigmoid(g)
    tl.store(of_gate + at, (d * u * share * (1 + g * (1 - share))).to(of_gate.dtype.element_ty), mask=inside)
    tl.store(of_up + at, (d * g * share).to(of_up.dtype.element_ty), mask=inside)


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _rotate(  # type: ignore[no-untyped-def] # noqa: ANN202
    x, x_line, x_head, x_token, cos, sin, cos_line, cos_token, found, found_line, found_head, found_token,  # noqa: ANN001
    width, heads, half, SIGN: tl.constexpr, HEADS: tl.constexpr, HALF: tl.constexpr,  # noqa: ANN001, N803
):  # fmt: skip
    """A program for each token: all its heads."""
    line, token = tl.program_id(0).to(tl.int64) // width, tl.program_id(0).to(tl.int64) % width
    head, at = tl.arange(0, HEADS)[:, None], tl.arange(0, HALF)[None, :]
    inside = (head < heads) & (at < half)
    angle = line * cos_line + token * cos_token + at
    c = tl.load(cos + angle, mask=at < half, other=0.0).to(tl.float32)
    s = tl.load(sin + angle, mask=at < half, other=0.0).to(tl.float32) * SIGN
    given = x + line * x_line + token * x_token + head * x_head + at
    first = tl.load(given, mask=inside, other=0.0).to(tl.float32)
    second = tl.load(given + half, mask=inside, other=0.0).to(tl.float32)
    place = found + line * found_line + token * found_token + head * found_head + at
    tl.store(place, (first * c - second * s).to(found.dtype.element_ty), mask=inside)
    tl.store(place + half, (second * c + first * s).to(found.dtype.element_ty), mask=inside)


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _cross_entropy(logits, stride, targets, losses, ignored, COUNT: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, N803
    """A program for each row: read once for its loss, and once more for its gradient."""
    row = tl.program_id(0).to(tl.int64)
    logits += row * stride
    target = tl.load(targets + row)
    counted = target != ignored
    target = tl.where(counted, target, 0)
    chosen = tl.load(logits + target).to(tl.float32)  # before any thread writes a gradient: maxima wait for all
    largest, total = float("-inf"), 0.0
    for begin in range(0, COUNT, BLOCK):
        at = begin + tl.arange(0, BLOCK)
        values = tl.load(logits + at, mask=at < COUNT, other=float("-inf")).to(tl.float32)
        before = largest
        largest = tl.maximum(before, tl.max(values, 0))
        total = total * tl.exp(before - largest) + tl.sum(tl.exp(values - largest), 0)
    tl.store(losses + row, tl.where(counted, tl.log(total) + largest - chosen, 0.0))
    for begin in range(0, COUNT, BLOCK):
        at = begin + tl.arange(0, BLOCK)
        values = tl.load(logits + at, mask=at < COUNT, other=float("-inf")).to(tl.float32)
        gradient = tl.exp(values - largest) / total - tl.where(at == target, 1.0, 0.0)
        gradient = tl.where(counted, gradient, 0.0)
        tl.store(logits + at, gradient.to(logits.dtype.element_ty), mask=at < COUNT)
