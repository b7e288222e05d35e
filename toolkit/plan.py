"""Chooses how a step is cut to fit the device: rows at once, gradient checkpointing. Pure arithmetic, with its reason.

The bytes-per-token figures are fitted to Qwen2.5-7B's architecture on one H100 (bf16, rank 8, all-linear), where
PyTorch reserved 10.1 GiB above the weights for 16 rows x 45 tokens without checkpointing, and 4.9 GiB for 8 rows.
That was with padding and every logit; rows are packed since and logits are few, so the figures are upper bounds.
bench/results/train-time-7b-h100.json has what was measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.recipe import AUTO, Recipe, first_adapted

ACTIVATION_BYTES = 110  # a token, layer and hidden unit, kept for the backward pass (bf16, SDPA)
CHECKPOINT_BYTES = 2  # likewise with checkpointing: a layer's bf16 input alone
LOGIT_BYTES = 12  # a token and vocabulary entry: logits, their float copy, their gradient
KEEP_POSITIONS = 512  # two chunks of positions whose logits live at once
CHECKPOINTING_COST = 4 / 3  # one forward pass more for every forward and backward
PASS_TOKENS = 4000  # measured: 0.3 s a pass on an H100 whose arithmetic takes 28 us a token; a 4090's takes 140
RESERVE_BYTES = 1_500_000_000  # CUDA context, adapter, optimizer, fragmentation


@dataclass(frozen=True, kw_only=True)
class Plan:
    micro_batch_size: int
    accumulation_steps: int
    gradient_checkpointing: bool
    reason: str


def plan(
    recipe: Recipe,
    config: Mapping[str, Any],
    *,
    longest_row_tokens: int,
    mean_keep_tokens: int = 0,
    weight_bytes: int,
    memory_bytes: int | None,
) -> Plan:
    """`memory_bytes`: free on the card before loading; None on a CPU, where memory is not the limit.

    `mean_keep_tokens`: a keep row's, on average; they are drawn at random, so a step's are about as many as another's.
    """
    options = [
        _Option(rows=rows, checkpointing=kept)
        for kept in ([False, True] if recipe.gradient_checkpointing == AUTO else [bool(recipe.gradient_checkpointing)])
        for rows in range(recipe.batch_size, 0, -1)
        if recipe.batch_size % rows == 0 and recipe.micro_batch_size in {AUTO, rows}
    ]
    if memory_bytes is None:
        return _plan(recipe, options[0], "no card: memory is not the limit")
    budget = memory_bytes - weight_bytes - RESERVE_BYTES
    tokens = {one: _tokens(recipe, one, longest_row_tokens, mean_keep_tokens) for one in options}
    needed = {one: _bytes(recipe, config, one, tokens[one]) for one in options}
    fitting = [one for one in options if needed[one] <= budget]
    if not fitting:
        least = min(options, key=needed.__getitem__)
        return _plan(recipe, least, "it may not fit: shorten the rows (--max-length) if memory runs out")
    best = min(fitting, key=lambda one: _cost(recipe, one, tokens[one]))
    gib = f"about {needed[best] / 2**30:.1f} of {budget / 2**30:.1f} GiB free beside the weights"
    return _plan(recipe, best, gib)


@dataclass(frozen=True, kw_only=True)
class _Option:
    rows: int
    checkpointing: bool


def _plan(recipe: Recipe, option: _Option, reason: str) -> Plan:
    return Plan(
        micro_batch_size=option.rows,
        accumulation_steps=recipe.batch_size // option.rows,
        gradient_checkpointing=option.checkpointing,
        reason=reason,
    )


def _keep_rows(recipe: Recipe, rows: int) -> int:
    """Keep rows that share a pass with `rows` rows."""
    return -(-recipe.keep_rows * rows // recipe.batch_size) if recipe.keep_weight else 0


def _tokens(recipe: Recipe, option: _Option, longest_row: int, mean_keep: int) -> int:
    """A pass's, padding included where there is any: rows and keep rows that share a pass are packed."""
    return option.rows * longest_row + _keep_rows(recipe, option.rows) * mean_keep


def _cost(recipe: Recipe, option: _Option, tokens: int) -> float:
    """Time of a step in passes: starting kernels for a pass takes as long as computing PASS_TOKENS tokens."""
    passes = recipe.batch_size / option.rows * (1 + tokens / PASS_TOKENS)
    return passes * (CHECKPOINTING_COST if option.checkpointing else 1)


def _bytes(recipe: Recipe, config: Mapping[str, Any], option: _Option, tokens: int) -> int:
    # The keep trainer computes logits a chunk at a time.
    predicted = KEEP_POSITIONS if recipe.keep_weight else tokens
    return tokens * _activation_bytes(recipe, config, option.checkpointing) + (
        predicted * int(config["vocab_size"]) * LOGIT_BYTES + _layer_bytes(config, tokens, option.checkpointing)
    )


def _activation_bytes(recipe: Recipe, config: Mapping[str, Any], checkpointing: bool) -> int:
    """A token's, over all layers; below the lowest layer with an adapter nothing is kept for a backward pass."""
    layers, hidden = int(config["num_hidden_layers"]), int(config["hidden_size"])
    if checkpointing:
        return layers * hidden * CHECKPOINT_BYTES
    return (layers - first_adapted(recipe, layers)) * hidden * ACTIVATION_BYTES


def _layer_bytes(config: Mapping[str, Any], tokens: int, checkpointing: bool) -> int:
    """The one layer that is computed again."""
    return tokens * int(config["hidden_size"]) * ACTIVATION_BYTES if checkpointing else 0


def lora_parameters(config: Mapping[str, Any], rank: int) -> int:
    """Parameters of a rank-`rank` adapter on all linear layers of a Qwen2 decoder (two factors a layer)."""
    hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    keys = hidden // int(config["num_attention_heads"]) * int(config["num_key_value_heads"])
    widths = [(hidden, hidden), (hidden, keys), (hidden, keys), (hidden, hidden)]  # q, k, v, o
    widths += [(hidden, inner), (hidden, inner), (inner, hidden)]  # gate, up, down
    return int(config["num_hidden_layers"]) * rank * sum(a + b for a, b in widths)
