"""Parts of a long pass that a card computes as one kernel each: gated product, rotation, cross entropy.

torch computes them as three to ten kernels, each of which reads and writes all states. The kernels are Triton's, which
compiles them when they are first used: a second each, or a fifth if they are cached. That pays in long trainings, so
the trainer asks for them where passes are long (`toolkit.train.passes.end_to_end`).
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from toolkit.data.encoding import IGNORED
from toolkit.model.families.network import decoder, logits
from toolkit.model.families.sizes import head_size
from toolkit.train.passes.adapters import computing_by
from toolkit.train.passes.kernels import alike, in_chunks

if TYPE_CHECKING:
    from torch import Tensor

FUSED_DEVICES = {"cuda"}
GATED_PRODUCT, ROTATION, CROSS_ENTROPY = "gated product", "rotation", "cross entropy"
Parts = frozenset[str]  # of these three
NONE: Parts = frozenset()
# Of a model, and of a function that makes tensors: a part by its kernel, by torch's operations, and what both are of.
Compared = Callable[[Any, Callable[..., "Tensor"]], tuple["Tensor", "Tensor", Sequence["Tensor"]]]
ROTATE = "apply_rotary_pos_emb"  # what attention calls, in the module of its family
MORE_POSITIONS = 4  # times as many positions' logits at once: in bfloat16, and without copies, they take less memory
AGREEMENT = 0.02  # of a norm: bfloat16's rounding is a sixth of it
TOKENS = 4  # compared; everything else has the model's own sizes, for which kernels are compiled


def fused_parts(causal: Any) -> Parts:
    """Those that this loaded model's device computes as torch does; none without Triton, or a compiler for it."""
    if causal.device.type not in FUSED_DEVICES:
        return NONE
    return frozenset(part for part, compared in COMPARED.items() if _agrees(causal, compared))


@contextmanager
def fused_layers(causal: Any, parts: Parts) -> Iterator[None]:
    """Within, the layers of this model compute these parts so. The backward pass belongs within, too."""
    with ExitStack() as stack:
        if GATED_PRODUCT in parts:
            stack.enter_context(computing_by(_gated_mlp, [layer.mlp for layer in decoder(causal).layers]))
        if ROTATION in parts:
            stack.enter_context(_rotating(sys.modules[type(decoder(causal)).__module__]))
        yield


def cross_entropy(causal: Any, states: "Tensor", targets: "Tensor", parts: Parts, positions: int) -> "Tensor":
    """The sum over last hidden states, [count, width], in nats; logits of so many `positions` exist at once."""
    if CROSS_ENTROPY in parts:
        return in_chunks(
            lambda chunk, wanted: of_logits(logits(causal, chunk), wanted), states, targets,
            size=positions * MORE_POSITIONS,
        )  # fmt: skip
    return in_chunks(lambda chunk, wanted: _plain(logits(causal, chunk), wanted), states, targets, size=positions)


def gated_product(gate: "Tensor", up: "Tensor") -> "Tensor":
    """silu(gate) * up, as one kernel."""
    from toolkit.train.passes.triton_kernels import GatedProduct

    found: Tensor = GatedProduct.apply(gate, up)  # type: ignore[no-untyped-call]
    return found


def rotated(x: "Tensor", cos: "Tensor", sin: "Tensor") -> "Tensor":
    """Heads, [lines, heads, width, size], at the positions of cos and sin, [lines or 1, width, size], as one kernel."""
    from toolkit.train.passes.triton_kernels import Rotation

    found: Tensor = Rotation.apply(x, cos, sin)  # type: ignore[no-untyped-call]
    return found


def of_logits(found: "Tensor", targets: "Tensor") -> "Tensor":
    """The sum of cross entropies, as one kernel. It writes gradients over the logits."""
    from toolkit.train.passes.triton_kernels import CrossEntropy

    total: Tensor = CrossEntropy.apply(found, targets, IGNORED)  # type: ignore[no-untyped-call]
    return total


def _plain(found: "Tensor", targets: "Tensor") -> "Tensor":
    return functional.cross_entropy(found.float(), targets, reduction="sum", ignore_index=IGNORED)


def _gated_mlp(mlp: Any, x: "Tensor") -> "Tensor":
    found: Tensor = mlp.down_proj(gated_product(mlp.gate_proj(x), mlp.up_proj(x)))
    return found


@contextmanager
def _rotating(module: Any) -> Iterator[None]:
    """Another model of the family may answer meanwhile, on another device or in another thread: all rotate alike."""
    plain = getattr(module, ROTATE)

    def rotate(query: "Tensor", key: "Tensor", cos: "Tensor", sin: "Tensor", **how: Any) -> "tuple[Tensor, Tensor]":
        if query.device.type not in FUSED_DEVICES or how:
            both: tuple[Tensor, Tensor] = plain(query, key, cos, sin, **how)
            return both
        return rotated(query, cos, sin), rotated(key, cos, sin)

    setattr(module, ROTATE, rotate)
    try:
        yield
    finally:
        setattr(module, ROTATE, plain)


def _agrees(causal: Any, compared: Compared) -> bool:
    """Whether values and gradients are those of torch's own operations in float32."""
    chance = torch.Generator().manual_seed(0)

    def random(*shape: int) -> "Tensor":
        return torch.randn(*shape, generator=chance).to(causal.device, causal.dtype).requires_grad_()

    try:
        *both, given = compared(causal, random)
        weights = torch.linspace(0.5, 1.5, both[0].numel(), device=causal.device).view(both[0].shape)
        found, expected = ([one.detach(), *torch.autograd.grad((one.float() * weights).sum(), given)] for one in both)
    except Exception:  # noqa: BLE001  # no Triton, no compiler, an older card: torch's own operations remain
        return False
    return alike(found, expected, AGREEMENT)


def _compared_product(causal: Any, random: Callable[..., "Tensor"]) -> tuple["Tensor", "Tensor", Sequence["Tensor"]]:
    if causal.config.hidden_act != "silu":
        raise NotImplementedError(causal.config.hidden_act)
    gate, up = (random(TOKENS, causal.config.intermediate_size) for _ in range(2))
    return gated_product(gate, up), functional.silu(gate.float()) * up.float(), (gate, up)


def _compared_rotation(causal: Any, random: Callable[..., "Tensor"]) -> tuple["Tensor", "Tensor", Sequence["Tensor"]]:
    config, network = causal.config, decoder(causal)
    x = random(1, TOKENS, config.num_attention_heads, head_size(vars(config)))
    heads = x.transpose(1, 2)
    cos, sin = network.rotary_emb(x.detach(), torch.arange(TOKENS, device=causal.device)[None])
    plain = getattr(sys.modules[type(network).__module__], ROTATE)
    return rotated(heads, cos, sin), plain(heads.float(), heads.float(), cos.float(), sin.float())[0], (x,)


def _compared_loss(causal: Any, random: Callable[..., "Tensor"]) -> tuple["Tensor", "Tensor", Sequence["Tensor"]]:
    vocabulary = causal.config.vocab_size
    states = random(TOKENS, vocabulary)
    targets = torch.tensor([0, vocabulary // 2, IGNORED, vocabulary - 1], device=causal.device)
    return of_logits(states * 1, targets), _plain(states, targets), (states,)


COMPARED: Mapping[str, Compared] = {
    GATED_PRODUCT: _compared_product, ROTATION: _compared_rotation, CROSS_ENTROPY: _compared_loss,
}  # fmt: skip
