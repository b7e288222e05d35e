"""The loss scale of a training in float16, whose gradients would otherwise be too small, or too large, for it.

torch's own (Micikevicius et al. 2018, arXiv:1710.03740): a loss is multiplied before its backward pass, and gradients,
float32 in the adapter, are divided afterwards. Where one is not finite, the fused optimizer leaves weights and moments
as they are, on the device and without waiting for it, and the scale is halved. Scale and count are tensors, which each
replay of a captured pass reads as they are then, and part of each checkpoint (scaler.pt).
"""

import warnings
from collections.abc import Sequence
from math import isfinite
from typing import Any

import torch

from toolkit.core.errors import TrainingError

INITIAL = 2.0**10  # a gradient of 1e-10 is not lost yet; each halving costs a step
GROWTH_STEPS = 100  # a scale that is too large costs a step: one in a hundred at most
MOST_IN_A_ROW = 24  # the scale is then 2**-11 or less: no loss scale is small enough
SKIPPED = "skipped"  # in a step's log: nothing was learned from it
FLOAT32 = 'Train in float32: "precision: float32" in the recipe, or TOOLKIT_PRECISION=float32. It takes more memory.'


def loss_scale(device: torch.device) -> Any:
    """A new scale, for losses on this device."""
    # accelerate replaces an optimizer's step where there is a scale, which torch takes for a mistake.
    warnings.filterwarnings("ignore", message="Seems like `optimizer.step")
    return torch.amp.GradScaler(device.type, init_scale=INITIAL, growth_interval=GROWTH_STEPS)


def unscale(scale: Any, optimizer: Any) -> None:
    """Divides the gradients of a step, once it is complete, before they are clipped. `optimizer`: accelerate's."""
    while hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    scale.unscale_(optimizer)


def with_scale(logs: dict[str, Any], scale: Any) -> dict[str, Any]:
    """A step's log with its loss scale, as it is for the next step, and without a gradient norm that is none."""
    found = {**logs, "loss_scale": scale.get_scale()}
    if not isfinite(found.get("grad_norm", 0.0)):
        del found["grad_norm"]
        found[SKIPPED] = 1
    return found


def skipped_steps(log_history: Sequence[dict[str, Any]]) -> int:
    return sum(entry.get(SKIPPED, 0) for entry in log_history)


def require_progress(log_history: Sequence[dict[str, Any]]) -> None:
    """Raises TrainingError if so many steps in a row were skipped that no scale can help."""
    last = [entry for entry in log_history if "loss" in entry][-MOST_IN_A_ROW:]
    if len(last) == MOST_IN_A_ROW and all(SKIPPED in entry for entry in last):
        raise TrainingError(
            f"Gradients were too large for float16 in {MOST_IN_A_ROW} steps in a row, at every loss scale.",
            next=FLOAT32,
        )
