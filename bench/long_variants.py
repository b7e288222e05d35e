"""What bench/long_passes.py compares: how a long pass was computed before, each change alone, and all of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import torch
from long_fp8 import NARROW, WIDE, Weights, fp8_layers
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from toolkit.data.encoding import IGNORED
from toolkit.model.families.network import decoder, embedded, logits
from toolkit.train.passes import adapters, end_to_end, fused_parts
from toolkit.train.passes.adapters import fused_adapters
from toolkit.train.passes.batch import Batch
from toolkit.train.passes.end_to_end import Spans, attention_by_ends
from toolkit.train.passes.kernels import in_chunks
from toolkit.train.passes.lines import attention_by_lines
from toolkit.train.passes.masks import attention_inputs

if TYPE_CHECKING:
    from torch import Tensor

FP8 = {"bfloat16": None, "e4m3": NARROW, "e5m2": WIDE}  # of gradients


@dataclass(frozen=True, kw_only=True)
class Variant:
    """`ahead`: logits once, gradients with their loss; `adapters`: a layer and its adapter as one function; `ends`: one
    line, and attention by the ends of its rows. `attention`: cudnn for lines of one row; `lines`: a row a line, and
    attention without mask and ends. `fp8`: see FP8. "all" has the first three, "finetune" the parts, too.
    """

    name: str
    ahead: bool = True
    adapters: bool = True
    ends: bool = True
    captured: bool = False
    checkpointing: bool = False
    attention: str = "flash"
    lines: bool = False
    fp8: str | None = None
    liger: bool = False  # its kernels for rotation, gated product and cross entropy
    parts: tuple[str, ...] = ()  # as one kernel each, of toolkit/train/passes/fused_parts.py
    chunk: int = 256

    @property
    def of_one_row(self) -> bool:
        return self.attention == "cudnn" or self.lines


PARTS = tuple(fused_parts.COMPARED)
BEFORE: dict[str, Any] = {"ahead": False, "adapters": False, "ends": False}
VARIANTS = (
    Variant(name="before, captured", **BEFORE, captured=True),
    Variant(name="before", **BEFORE),
    Variant(name="logits", **BEFORE | {"ahead": True}),
    Variant(name="adapters", **BEFORE | {"adapters": True}),
    Variant(name="ends", **BEFORE | {"ends": True}),
    Variant(name="all"),
    Variant(name="finetune", parts=PARTS),
    *(Variant(name=f"finetune, {one} as before", parts=tuple(part for part in PARTS if part != one)) for one in PARTS),
    *(Variant(name=f"all, {one}", parts=(one,)) for one in PARTS),
    Variant(name="logits and adapters, captured", ends=False, captured=True),
    Variant(name="all, 1024 logits", chunk=1024),
    Variant(name="before, recomputed", **BEFORE, checkpointing=True),
    Variant(name="all, recomputed", checkpointing=True),
    Variant(name="finetune, recomputed", parts=PARTS, checkpointing=True),
    Variant(name="finetune, cudnn", parts=PARTS, attention="cudnn"),
    Variant(name="all, cudnn", attention="cudnn"),
    Variant(name="lines", parts=PARTS, ends=False, lines=True),
    Variant(name="lines, captured", parts=PARTS, ends=False, lines=True, captured=True),
    Variant(name="all, liger", liger=True, chunk=1024),
    Variant(name="all, liger, cudnn", liger=True, chunk=1024, attention="cudnn"),
    Variant(name="all, fp8 forwards", fp8="bfloat16"),
    Variant(name="all, fp8 e4m3", fp8="e4m3"),
    Variant(name="all, fp8 e5m2", fp8="e5m2"),
    Variant(name="all, liger, fp8 e4m3", fp8="e4m3", liger=True, chunk=1024),
    Variant(name="all, liger, cudnn, fp8 e4m3", fp8="e4m3", liger=True, chunk=1024, attention="cudnn"),
)


def recomputed(loss: Callable[..., "Tensor"], *columns: "Tensor", size: int) -> "Tensor":
    """As before: the backward pass computes a chunk's logits again."""
    total = torch.zeros((), device=columns[0].device)
    for begin in range(0, len(columns[0]), size):
        chunk = (one[begin : begin + size] for one in columns)
        total = total + checkpoint(loss, *chunk, use_reentrant=False, preserve_rng_state=False)
    return total


def hidden_states(causal: Any, batch: Batch) -> "Tensor":
    states = embedded(causal, batch["ids"])
    found: Tensor = decoder(causal)(
        inputs_embeds=states, use_cache=False, **attention_inputs(causal, batch, plain=False)
    ).last_hidden_state
    return found.flatten(0, 1)


def losses(causal: Any, variant: Variant, batch: Batch) -> dict[str, "Tensor"]:
    """As the trainer's: the mean over a step's trained tokens."""

    def cross_entropy(states: "Tensor", targets: "Tensor") -> "Tensor":
        found = logits(causal, states)
        if variant.liger and found.is_cuda:
            from liger_kernel.transformers.functional import (  # type: ignore[import-not-found,unused-ignore]
                liger_cross_entropy,
            )

            loss: Tensor = liger_cross_entropy(found, targets, reduction="sum", ignore_index=IGNORED)
            return loss
        return functional.cross_entropy(found.float(), targets, reduction="sum", ignore_index=IGNORED)

    chunks = in_chunks if variant.ahead else recomputed
    hidden = hidden_states(causal, batch)
    if fused_parts.CROSS_ENTROPY in variant.parts and hidden.is_cuda:
        states, parts = hidden[batch["row_positions"]], frozenset(variant.parts)
        found = fused_parts.cross_entropy(causal, states, batch["row_targets"], parts, variant.chunk)
        return {"loss": found * batch["row_weight"][0]}
    total = chunks(cross_entropy, hidden[batch["row_positions"]], batch["row_targets"], size=variant.chunk)
    return {"loss": total * batch["row_weight"][0]}


@contextmanager
def applied(variant: Variant, model: Any, weights: Weights) -> Iterator[None]:
    """Within, the model computes as the variant says; forward and backward pass both belong here."""
    causal = model.get_base_model()
    with ExitStack() as stack:
        stack.enter_context(patch.object(adapters, "FUSED_DEVICES", {"cuda", "cpu"}))
        if variant.fp8 is not None:
            stack.enter_context(fp8_layers(model, weights, FP8[variant.fp8]))
        elif variant.adapters:
            stack.enter_context(fused_adapters(model))
        stack.enter_context(attention_by_ends(causal.config, active=variant.ends))
        if variant.lines:
            stack.enter_context(attention_by_lines(causal.config))
        if variant.attention == "cudnn":
            stack.enter_context(patch.object(end_to_end, "flash", by_cudnn))
        elif model.device.type == "cpu":
            stack.enter_context(patch.object(end_to_end, "flash", by_span))
        if variant.liger and model.device.type == "cuda":
            stack.enter_context(with_liger(causal))
        if variant.parts and model.device.type == "cuda":
            stack.enter_context(fused_parts.fused_layers(causal, frozenset(variant.parts)))
        if variant.checkpointing:
            causal.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            stack.callback(causal.gradient_checkpointing_disable)
        yield


@contextmanager
def with_liger(causal: Any) -> Iterator[None]:
    """Its rotation and gated product in the modules of this model's family."""
    import sys

    from liger_kernel.ops.swiglu import LigerSiLUMulFunction  # type: ignore[import-not-found,unused-ignore]
    from liger_kernel.transformers.rope import liger_rotary_pos_emb  # type: ignore[import-not-found,unused-ignore]

    def gated(mlp: Any, x: "Tensor") -> "Tensor":
        found: Tensor = mlp.down_proj(LigerSiLUMulFunction.apply(mlp.gate_proj(x), mlp.up_proj(x)))
        return found

    kind = type(decoder(causal).layers[0].mlp)
    module = sys.modules[kind.__module__]
    with (
        patch.object(kind, "forward", gated),
        patch.object(module, "apply_rotary_pos_emb", lambda q, k, cos, sin, **_: liger_rotary_pos_emb(q, k, cos, sin)),
    ):
        yield


def by_cudnn(query: "Tensor", key: "Tensor", value: "Tensor", spans: Spans, scaling: float | None) -> "Tensor":
    """A line of one row: cuDNN's kernel, with a copy of the keys for each head."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    assert len(query) == spans.longest[0], "more than one row"
    times = query.shape[1] // key.shape[1]
    key, value = (one.repeat_interleave(times, 1) for one in (key, value))
    query, key, value = (one.transpose(0, 1)[None] for one in (query, key, value))
    with sdpa_kernel([SDPBackend.CUDNN_ATTENTION if query.is_cuda else SDPBackend.MATH]):
        found = functional.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling)
    return found[0].transpose(0, 1)


def by_span(query: "Tensor", key: "Tensor", value: "Tensor", spans: Spans, scaling: float | None) -> "Tensor":
    """A CPU's: one row after the other."""
    found = []
    for number in range(len(spans.queries) - 1):
        asked, given = (slice(int(one[number]), int(one[number + 1])) for one in (spans.queries, spans.keys))
        q, k, v = query[asked], key[given], value[given]
        seen = torch.ones(len(q), len(k), dtype=torch.bool).tril(len(k) - len(q))
        q, k, v = (one.transpose(0, 1)[None] for one in (q, k, v))
        out = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=scaling, enable_gqa=True)
        found.append(out[0].transpose(0, 1))
    return torch.cat(found)
