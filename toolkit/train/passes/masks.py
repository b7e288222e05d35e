"""What a decoder is given beside a pass's tokens: positions, and which tokens each may attend to, layer by layer.

Lines that hold several sequences need a mask of their own (`toolkit.train.passes.packing`). Layers with a sliding
window attend to their sequence's last tokens only; layers of both kinds take a mask each, by transformers' names.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from toolkit.train.passes.end_to_end import inputs, spans_of
from toolkit.train.passes.lines import is_by_lines
from toolkit.train.passes.packing import PADDING, visibility_mask

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.train.passes.batch import Batch

FULL, SLIDING = "full_attention", "sliding_attention"
EAGER = "eager"  # the implementation that adds its mask to the logits; others take one of booleans


def attention_inputs(causal: Any, batch: "Batch", *, plain: bool) -> Mapping[str, Any]:
    """Arguments of the model's forward pass. `plain`: each line holds one sequence, and the model makes its own masks.

    `causal`: the causal language model, whose configuration says which layers have a window.
    """
    if plain:
        return {"attention_mask": (batch["owner"] != PADDING).long()}
    if (spans := spans_of(batch)) is not None or is_by_lines(causal.config):
        return inputs(batch, spans)
    config = causal.config
    full = visibility_mask(batch["owner"], batch["prefix"])
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or [FULL if window is None else SLIDING])
    mask: Tensor | Mapping[str, Tensor]
    mask = given = _given(causal, full)
    # A line that the window covers needs no second mask: no token is farther from another than the line is wide.
    if SLIDING in kinds and window is not None and full.shape[-1] > window:
        positions = batch["positions"]
        near = (positions[:, :, None] - positions[:, None, :] < window)[:, None]
        sliding = _given(causal, full & near)
        mask = {FULL: given, SLIDING: sliding} if getattr(config, "layer_types", None) else sliding
    return {"attention_mask": mask, "position_ids": batch["positions"]}


def _given(causal: Any, mask: "Tensor") -> "Tensor":
    """The mask as the model's implementation of attention takes it."""
    if causal.config._attn_implementation != EAGER:  # noqa: SLF001  # docs/fragile.md
        return mask
    import torch

    zeros = torch.zeros_like(mask, dtype=causal.dtype)
    return zeros.masked_fill(~mask, torch.finfo(causal.dtype).min)
