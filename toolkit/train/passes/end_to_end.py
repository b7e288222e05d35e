"""Attention over sequences laid end to end, by their ends and without a mask: for passes of many tokens.

A mask of [width, width] keeps torch from its fastest kernel, is read by every head of every layer, and most of what it
masks is computed all the same. Here each sequence is computed by itself, in one call for all of them (flash attention,
Dao 2023, arXiv:2307.08691). A prefix that several share (`toolkit.train.passes.packing`) is computed once, too: its
keys and values are copied in front of each of them, and the kernel aligns a sequence's queries with its last keys.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from toolkit.model.device import Device
from toolkit.model.families.attention import attention_by, is_sdpa, sdpa
from toolkit.model.families.family import family_of
from toolkit.model.families.sizes import head_size, layer_parameters
from toolkit.train.passes.packing import PADDING

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.train.passes.batch import Batch

NAME = "end_to_end"  # of the attention, to transformers
DEVICES = {"cuda"}
# A pass without a mask is not captured: launching its kernels took 0.165 s beside an H200, as long as 1800 to 2500
# captured tokens of the 7 B architecture take. The rest is for slower hosts, and keeps the shipped rows captured.
PAYS_FROM, LAYER_OF_7B = 3072, 233_000_000
MAX_GRAPH_TOKENS = 8192  # in a larger pass, launching kernels takes a negligible part of the time
MAX_HEAD_SIZE = 256  # the kernel's
AGREEMENT = 0.05  # of a norm: bfloat16's rounding is a tenth of it, and another alignment twenty times as much
ON_HOST = "longest"  # of a batch's tensors the one that is read there: the kernel is launched by its values


@dataclass(frozen=True, kw_only=True)
class Spans:
    """Where sequences and prefixes begin and end, in the flattened lines.

    `queries`, `keys`: their first tokens, and the end, int32, shape [spans + 1]. `key_index`: the token of each key,
    shape [keys]; empty if keys are those of the queries. `longest`: the most queries and the most keys of a span.
    """

    queries: "Tensor"
    keys: "Tensor"
    key_index: "Tensor"
    longest: tuple[int, int]


def pays_from(config: Mapping[str, Any]) -> int:
    """Tokens of a pass; a shorter one is captured, mask and all. The smaller a layer, the more tokens hide a launch."""
    return min(MAX_GRAPH_TOKENS, round(PAYS_FROM * LAYER_OF_7B / layer_parameters(config)))


def serves(causal: Any) -> bool:
    """Whether this loaded causal language model is one whose attention can be computed so."""
    return (
        _suits(causal.config.to_dict())
        and is_sdpa(causal.config)
        and causal.dtype == torch.bfloat16
        and causal.device.type in DEVICES
        and kernel_agrees(causal.device)
    )


def will_serve(config: Mapping[str, Any], device: Device) -> bool:
    """Whether `serves` holds for certain once a model with this config.json is loaded on this device, not in 4 bits."""
    on_card = device.kind in DEVICES and device.precision == "bfloat16" and torch.cuda.is_available()
    return on_card and _suits(config) and kernel_agrees(torch.device(device.kind))


def _suits(config: Mapping[str, Any]) -> bool:
    size = head_size(config)
    return (
        family_of(config).end_to_end
        and set(config.get("layer_types") or ["full_attention"]) == {"full_attention"}
        and not config.get("use_sliding_window")  # from which transformers derives the types of layers
        and size <= MAX_HEAD_SIZE
        and size % 8 == 0
    )


def kernel_agrees(device: torch.device) -> bool:
    """Whether this device and this torch have the kernel, and it computes what is relied on, on two sequences."""
    chance = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(*shape, generator=chance).to(device, torch.bfloat16).requires_grad_()
        for shape in ((6, 4, 64), (8, 2, 64), (8, 2, 64))
    )
    queries, keys = (torch.tensor(one, dtype=torch.int32, device=device) for one in ([0, 3, 6], [0, 5, 8]))
    spans = Spans(queries=queries, keys=keys, key_index=queries[:0].long(), longest=(3, 5))
    try:
        found = flash(query, key, value, spans, None)
        [of_key] = torch.autograd.grad(found.float().square().sum(), key)
    except (ImportError, RuntimeError, TypeError, ValueError):  # an older card, or another torch
        return False
    q, k, v = query[:3].float(), key[:5].float().repeat_interleave(2, 1), value[:5].float().repeat_interleave(2, 1)
    seen = torch.ones(3, 5, dtype=torch.bool, device=device).tril(2)
    q, k, v = (one.transpose(0, 1) for one in (q, k, v))
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen).transpose(0, 1)
    [of_expected] = torch.autograd.grad(expected.square().sum(), key)
    pairs = (found[:3].detach(), expected.detach()), (of_key[:5], of_expected[:5])
    return all(float((one.float() - other).norm() / other.float().norm()) < AGREEMENT for one, other in pairs)


def with_spans(batch: "Batch") -> "Batch":
    """The batch, as `lay_out` makes it, with the tensors of its `Spans`, all on the CPU."""
    owner, prefix = batch["owner"].flatten(), batch["prefix"].flatten()
    owners, counts = torch.unique_consecutive(owner, return_counts=True)
    ends = counts.cumsum(0)
    begins = ends - counts
    runs = zip(owners.tolist(), begins.tolist(), ends.tolist(), prefix[begins].tolist(), strict=True)
    last: dict[int, tuple[int, int]] = {}  # a prefix is repeated in each line that needs it
    parts, key_counts = [], []
    for name, begin, end, continued in runs:
        last[name] = begin, end
        pieces = [torch.arange(begin, end)]
        if continued != PADDING:
            pieces.insert(0, torch.arange(*last[continued]))
        parts += pieces
        key_counts.append(sum(map(len, pieces)))
    key_index = torch.cat(parts)
    if len(key_index) == len(owner):
        key_index = key_index[:0]
    return batch | {
        "queries": _starts(counts), "keys": _starts(torch.tensor(key_counts)), "key_index": key_index,
        ON_HOST: torch.tensor([int(counts.max()), max(key_counts)]),
    }  # fmt: skip


def spans_of(batch: "Batch") -> Spans | None:
    """None if the batch has none."""
    if ON_HOST not in batch:
        return None
    queries, keys = batch[ON_HOST].tolist()
    return Spans(queries=batch["queries"], keys=batch["keys"], key_index=batch["key_index"], longest=(queries, keys))


def moved(batch: "Batch", device: torch.device) -> "Batch":
    """The batch on a device, but for what is read on the host; without, launching the kernel would wait for it."""
    return {name: one if name == ON_HOST else one.to(device) for name, one in batch.items()}


def inputs(batch: "Batch", spans: Spans | None) -> Mapping[str, Any]:
    """Arguments of the model's forward pass. The mask is read by nobody: without one, the model would make its own."""
    mask = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=batch["ids"].device)
    given = {"attention_mask": mask, "position_ids": batch["positions"]}
    return given if spans is None else given | {"spans": spans}


def attention_by_ends(config: Any, *, active: bool) -> AbstractContextManager[None]:
    """Within, if `active`, the model of this configuration computes passes with `spans` so, and others as before.

    The backward pass belongs within, too: it may compute layers again.
    """
    return attention_by(config, NAME, _attention) if active else nullcontext()


def _attention(
    module: Any, query: "Tensor", key: "Tensor", value: "Tensor", attention_mask: "Tensor | None",
    scaling: float | None = None, spans: Spans | None = None, **how: Any,
) -> tuple["Tensor", None]:  # fmt: skip
    """`query`: [lines, heads, width, size]; `key`, `value`: with as many heads or fewer. Shape [lines, width, …]."""
    if spans is None:
        return sdpa(module, query, key, value, attention_mask, scaling=scaling, **how)[0], None
    lines, width = query.shape[0], query.shape[2]
    query, key, value = (one.transpose(1, 2).flatten(0, 1) for one in (query, key, value))
    if len(spans.key_index):
        key, value = (_Copied.apply(one, spans.key_index) for one in (key, value))  # type: ignore[no-untyped-call]
    found = flash(query, key, value, spans, scaling)
    return found.view(lines, width, *found.shape[1:]), None


class _Copied(torch.autograd.Function):
    """Rows by their index. A prefix's gradients are summed up in float32: it has one of each sequence after it."""

    @staticmethod
    def forward(ctx: Any, states: "Tensor", index: "Tensor") -> "Tensor":
        ctx.save_for_backward(index)
        ctx.count = len(states)
        return states.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *of_rows: "Tensor") -> tuple["Tensor", None]:
        [index], [found] = ctx.saved_tensors, of_rows
        total = torch.zeros(ctx.count, *found.shape[1:], dtype=torch.float32, device=found.device)
        return total.index_add_(0, index, found.float()).to(found.dtype), None


def flash(query: "Tensor", key: "Tensor", value: "Tensor", spans: Spans, scaling: float | None) -> "Tensor":
    """Causal attention within each span, its queries its last keys; shapes [queries or keys, heads, size]."""
    from inspect import signature

    from torch.nn.attention.varlen import varlen_attn

    known = signature(varlen_attn).parameters  # they changed from 2.10 to 2.13: see docs/fragile.md
    how: dict[str, Any] = {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    if "enable_gqa" in known:
        how["enable_gqa"] = True
    if "scale" in known:
        how["scale"] = scaling
    elif scaling is not None:
        query = query * (scaling * query.shape[-1] ** 0.5)
    found = varlen_attn(query, key, value, spans.queries, spans.keys, *spans.longest, **how)
    assert isinstance(found, torch.Tensor)  # and not the sums of exponentials beside it
    return found


def _starts(counts: "Tensor") -> "Tensor":
    return torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)]).int()
