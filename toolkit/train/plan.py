"""What a training needs of the card and of the disk, and the settings that fit; says why. Pure but for `free_bytes`."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError
from toolkit.core.files import require_free_space
from toolkit.model.base_model import BaseModel
from toolkit.model.families.qwen2 import (
    ELEMENT_BYTES,
    linear_layers,
    lora_parameters,
    weight_bytes_in_4bit,
    weight_bytes_loaded,
)
from toolkit.model.four_bits import CHANGED
from toolkit.train.recipe import AUTO, Recipe, first_adapted

BYTES_A_PARAMETER = 4 + 8  # a checkpoint: the adapter in float32, and Adam's two moments
KEPT_CHECKPOINTS = 2
DISK_MARGIN_BYTES = 64_000_000
# Bytes a token, layer and hidden unit that are kept for the backward pass, in bfloat16.
ADAPTED_BYTES = 72  # a layer with an adapter
PASSED_BYTES = 50  # one above the adapters, which gradients pass through
DROPOUT_BYTES = 12  # on top, where an adapter drops: about 1 GiB was measured for 900 tokens
CHECKPOINT_BYTES = 2  # with checkpointing: a layer's input alone
LOGIT_BYTES = 12  # a position and vocabulary entry: logits, their float copy, their gradient
POSITIONS = 256  # whose logits live at once; with a keep term as many of the base's beside them
EVALUATED_BYTES = 10  # likewise without gradients; ms-swift evaluates padded rows, and at every position
ADAPTER_BYTES = 16  # a parameter: itself, its gradient, Adam's two moments, in float32
RESERVE_BYTES = 1_200_000_000  # what fragments, workspaces, masks, the base's answers to the keep prompts
LINE_TOKENS = 512  # rows are laid end to end into lines of so many (see toolkit.swift.packing)
SLACK_PERCENT = 110  # what is left over at the end of lines, and of a shape that all passes share
ALIGNED = 8
CHECKPOINTING_COST = 4 / 3  # one forward pass more for every forward and backward
PASS_TOKENS = 4000  # measured: 0.3 s a pass on an H100 whose arithmetic takes 28 us a token; a 4090's takes 140
GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Plan:
    micro_batch_size: int
    accumulation_steps: int
    gradient_checkpointing: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Need:
    """What is to be trained. `longest_row_tokens`: of the rows; `stored_bytes`: of the base model's files.

    `batch_tokens`: of a step's rows at most, where it is known; else each may be as long as the longest.
    `mean_keep_tokens`: a keep row's, on average; they are drawn at random, so a step's are about as many as another's.
    """

    recipe: Recipe
    config: Mapping[str, Any]
    longest_row_tokens: int
    stored_bytes: int
    batch_tokens: int | None = None
    precision: str = "bfloat16"
    mean_keep_tokens: int = 0

    @property
    def weight_bytes(self) -> int:
        if self.recipe.load_in_4bit:
            return weight_bytes_in_4bit(self.config, self.precision)
        return weight_bytes_loaded(self.config, self.stored_bytes, self.precision)


@dataclass(frozen=True, kw_only=True)
class _Cut:
    rows: int
    checkpointing: bool


def plan(need: Need, memory_bytes: int | None) -> Plan:
    """`memory_bytes`: free on the card before loading; None on a CPU, where memory is not the limit.

    Raises ConfigError where nothing fits, and says what would. Where a recipe leaves nothing to choose, it is taken.
    """
    recipe, cuts = need.recipe, _cuts(need.recipe)
    if memory_bytes is None:
        return _plan(recipe, cuts[0], "no card: memory is not the limit")
    fitting = [one for one in cuts if bytes_needed(need, one.rows, checkpointing=one.checkpointing) <= memory_bytes]
    if not fitting:
        if AUTO not in {recipe.micro_batch_size, recipe.gradient_checkpointing}:
            told = f"as fixed, and it may not fit: up to {_gib(_least(need))} of {_gib(memory_bytes)}"
            return _plan(recipe, cuts[0], told)
        raise _nothing_fits(need, memory_bytes)
    best = min(fitting, key=lambda one: _cost(need, one))
    most = bytes_needed(need, best.rows, checkpointing=best.checkpointing)
    told = f"at most {_gib(most)} of {_gib(memory_bytes)}, {_gib(need.weight_bytes)} of it weights"
    return _plan(recipe, best, told)


def bytes_needed(need: Need, rows: int, *, checkpointing: bool) -> int:
    """On the card, weights included, with so many rows at once."""
    recipe, config = need.recipe, need.config
    tokens = _tokens(need, rows)
    wide = ELEMENT_BYTES[need.precision] / ELEMENT_BYTES["bfloat16"]
    positions = POSITIONS * (2 if recipe.keep_weight else 1)
    step = tokens * _kept_bytes(recipe, config, checkpointing=checkpointing) * wide
    step += positions * int(config["vocab_size"]) * LOGIT_BYTES
    evaluation = rows * need.longest_row_tokens * int(config["vocab_size"]) * EVALUATED_BYTES * wide
    return math.ceil(need.weight_bytes + _fixed_bytes(need) + max(step, evaluation if recipe.eval_split else 0))


def _cuts(recipe: Recipe) -> list[_Cut]:
    return [
        _Cut(rows=rows, checkpointing=kept)
        for kept in ([False, True] if recipe.gradient_checkpointing == AUTO else [bool(recipe.gradient_checkpointing)])
        for rows in range(recipe.batch_size, 0, -1)
        if recipe.batch_size % rows == 0 and recipe.micro_batch_size in {AUTO, rows}
    ]


def _plan(recipe: Recipe, cut: _Cut, reason: str) -> Plan:
    return Plan(
        micro_batch_size=cut.rows,
        accumulation_steps=recipe.batch_size // cut.rows,
        gradient_checkpointing=cut.checkpointing,
        reason=reason,
    )


def _tokens(need: Need, rows: int) -> int:
    """A pass's at most, with what is left over at the ends of lines: of a few that are longer, or of more."""
    recipe, longest = need.recipe, max(need.longest_row_tokens, 1)
    width = max(LINE_TOKENS, -(-longest // ALIGNED) * ALIGNED)
    keep_rows = -(-recipe.keep_rows * rows // recipe.batch_size) if recipe.keep_weight else 0
    kept = keep_rows * need.mean_keep_tokens
    of_rows = rows * longest if need.batch_tokens is None else min(rows * longest, need.batch_tokens)
    lines = (of_rows + kept) // width
    few = of_rows + kept + (lines * (longest + ALIGNED) if lines > 1 else ALIGNED)
    more = -(-rows * width // (width // longest)) + kept
    return -(-min(few, more) * SLACK_PERCENT // 100)


def _kept_bytes(recipe: Recipe, config: Mapping[str, Any], *, checkpointing: bool) -> int:
    """A token's, over all layers; below the lowest layer with an adapter nothing is kept for a backward pass."""
    layers, hidden = int(config["num_hidden_layers"]), int(config["hidden_size"])
    first = first_adapted(recipe, layers)
    adapted = ADAPTED_BYTES + (DROPOUT_BYTES if recipe.lora_dropout else 0)
    if checkpointing:  # … and the one layer that is computed again
        return hidden * (layers * CHECKPOINT_BYTES + adapted)
    return hidden * ((layers - 2 * first) * adapted + first * PASSED_BYTES)


def _fixed_bytes(need: Need) -> int:
    """Whatever the rows: the adapter; of weights in 4 bits, the largest of a layer's in the clear, twice over."""
    config, layers = need.config, int(need.config["num_hidden_layers"])
    adapted = (layers - 2 * first_adapted(need.recipe, layers)) / layers
    adapter = adapted * lora_parameters(config, need.recipe.lora_rank) * ADAPTER_BYTES
    largest = max(a * b for a, b in linear_layers(config)) * ELEMENT_BYTES[need.precision]
    return RESERVE_BYTES + math.ceil(adapter) + (2 * largest if need.recipe.load_in_4bit else 0)


def _cost(need: Need, cut: _Cut) -> float:
    """Time of a step in passes: starting kernels for a pass takes as long as computing PASS_TOKENS tokens."""
    passes = need.recipe.batch_size / cut.rows * (1 + _tokens(need, cut.rows) / PASS_TOKENS)
    return passes * (CHECKPOINTING_COST if cut.checkpointing else 1)


def _least(need: Need) -> int:
    return min(bytes_needed(need, one.rows, checkpointing=one.checkpointing) for one in _cuts(need.recipe))


def _nothing_fits(need: Need, memory_bytes: int) -> ConfigError:
    least, recipe = _least(need), need.recipe
    ways = []
    if _least(_freely_cut(need)) <= memory_bytes:
        ways.append("micro_batch_size and gradient_checkpointing left at auto")
    packed = replace(need, recipe=recipe.changed(load_in_4bit=True))
    if not recipe.load_in_4bit and _least(packed) <= memory_bytes:
        ways.append(f"--load-in-4bit ({_gib(_least(packed))})")
    too, shorter = "", _longest_that_fits(need, memory_bytes)
    if shorter is None and not ways and not recipe.load_in_4bit:
        too, shorter = "--load-in-4bit and ", _longest_that_fits(packed, memory_bytes)
    if shorter is not None:
        ways.append(f"{too}--max-length {shorter} (the longest row has {need.longest_row_tokens} tokens)")
    ways.append(f"a smaller model, or a card with {math.ceil(least / GIB)} GiB free")
    told = f" {CHANGED}" if any("4bit" in way for way in ways) else ""
    return ConfigError(
        f"This training does not fit on the card: it takes at least {_gib(least)}, {_gib(need.weight_bytes)} of it "
        f"weights, and {_gib(memory_bytes)} are free.",
        next=f"It would fit with {'; or with '.join(ways)}.{told}",
    )


def _freely_cut(need: Need) -> Need:
    return replace(need, recipe=need.recipe.changed(micro_batch_size=AUTO, gradient_checkpointing=AUTO))


def _longest_that_fits(need: Need, memory_bytes: int) -> int | None:
    """Tokens of a row; longer ones are then left out and counted."""
    lengths = range(ALIGNED, need.longest_row_tokens, ALIGNED)
    fitting = bisect_right(lengths, memory_bytes, key=lambda one: _least(replace(need, longest_row_tokens=one)))
    return lengths[fitting - 1] if fitting else None


def _gib(count: int) -> str:
    return f"{count / GIB:.1f} GiB"


def require_disk(output: Path, base: BaseModel, recipe: Recipe) -> None:
    """Better now than in the last step. Raises ConfigError."""
    needed = lora_parameters(base.config, recipe.lora_rank) * BYTES_A_PARAMETER * KEPT_CHECKPOINTS
    require_free_space(output, needed, DISK_MARGIN_BYTES, purpose="a run", option="--output", error=ConfigError)
