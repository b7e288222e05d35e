"""Chooses how a step is cut to fit the device: rows at once, gradient checkpointing. Pure arithmetic, with its reason.

The bytes-per-token figures are fitted to Qwen2.5-7B's architecture on one H100 (bf16, rank 8, all-linear):
16 rows x 45 tokens took 7.3 GiB above the weights without checkpointing, 8 rows 2.9 GiB.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.recipe import AUTO, Recipe

ACTIVATION_BYTES = 75  # a token, layer and hidden unit, kept for the backward pass (bf16, SDPA)
CHECKPOINT_BYTES = 2  # likewise with checkpointing: a layer's bf16 input alone
LOGIT_BYTES = 12  # a token and vocabulary entry: logits, their float copy, their gradient
RESERVE_BYTES = 1_500_000_000  # CUDA context, adapter, optimizer, fragmentation


@dataclass(frozen=True, kw_only=True)
class Plan:
    micro_batch_size: int
    accumulation_steps: int
    gradient_checkpointing: bool
    reason: str


def plan(
    recipe: Recipe, config: Mapping[str, Any], *, longest_row_tokens: int, weight_bytes: int, memory_bytes: int | None
) -> Plan:
    """`memory_bytes`: free on the card before loading; None on a CPU, where memory is not the limit."""
    micro, checkpointing = recipe.micro_batch_size, recipe.gradient_checkpointing
    options = [
        (rows, kept)
        for kept in ([False, True] if checkpointing == AUTO else [bool(checkpointing)])
        for rows in _divisors(recipe.batch_size)
        if micro in {AUTO, rows}
    ]
    if memory_bytes is None:
        rows, kept = options[0]
        return _plan(recipe, rows, kept, "no card: memory is not the limit")
    budget = memory_bytes - weight_bytes - RESERVE_BYTES
    for rows, kept in options:
        needed = rows * longest_row_tokens * _bytes_per_token(config, kept)
        if needed <= budget:
            why = f"{rows} rows x {longest_row_tokens} tokens need about {needed / 2**30:.1f} GiB"
            return _plan(recipe, rows, kept, f"{why} of {max(budget, 0) / 2**30:.1f} GiB free beside the weights")
    rows, kept = options[-1]
    return _plan(recipe, rows, kept, "it may not fit: shorten the rows (--max-length) if memory runs out")


def _plan(recipe: Recipe, rows: int, checkpointing: bool, reason: str) -> Plan:
    return Plan(
        micro_batch_size=rows,
        accumulation_steps=recipe.batch_size // rows,
        gradient_checkpointing=checkpointing,
        reason=reason,
    )


def _divisors(number: int) -> list[int]:
    return [part for part in range(number, 0, -1) if number % part == 0]


def _bytes_per_token(config: Mapping[str, Any], checkpointing: bool) -> int:
    layers, hidden, vocabulary = (int(config[k]) for k in ("num_hidden_layers", "hidden_size", "vocab_size"))
    kept = layers * hidden * CHECKPOINT_BYTES + hidden * ACTIVATION_BYTES if checkpointing else (
        layers * hidden * ACTIVATION_BYTES
    )  # fmt: skip
    return kept + vocabulary * LOGIT_BYTES


def lora_parameters(config: Mapping[str, Any], rank: int) -> int:
    """Parameters of a rank-`rank` adapter on all linear layers of a Qwen2 decoder (two factors a layer)."""
    hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    keys = hidden // int(config["num_attention_heads"]) * int(config["num_key_value_heads"])
    widths = [(hidden, hidden), (hidden, keys), (hidden, keys), (hidden, hidden)]  # q, k, v, o
    widths += [(hidden, inner), (hidden, inner), (inner, hidden)]  # gate, up, down
    return int(config["num_hidden_layers"]) * rank * sum(a + b for a, b in widths)
