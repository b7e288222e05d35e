"""The memory and disk space that a training needs, and the settings that fit, with the reason. Pure but for disk."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError
from toolkit.core.files import require_free_space
from toolkit.model.base_model import BaseModel
from toolkit.model.decoding.answer_memory import token_bytes
from toolkit.model.device import Device
from toolkit.model.families.family import notes_of
from toolkit.model.families.sizes import (
    ELEMENT_BYTES,
    linear_layers,
    lora_parameters,
    weight_bytes_in_4bit,
    weight_bytes_loaded,
)
from toolkit.model.four_bits import CHANGED
from toolkit.train.recipe import AUTO, Recipe, first_adapted

BYTES_PER_PARAMETER = 4 + 8  # a checkpoint: the adapter in float32, and Adam's two moments
SAVED_CHECKPOINTS = 2
DISK_MARGIN_BYTES = 64_000_000
# Bytes per token, layer and hidden unit that are stored for the backward pass, in bfloat16.
ADAPTED_BYTES = 72  # of a layer with an adapter
PASSED_BYTES = 50  # of a layer above the adapters, which gradients pass through
DROPOUT_BYTES = 12  # added by dropout in an adapter: about 1 GiB was measured for 900 tokens
CHECKPOINT_BYTES = 2  # with checkpointing: only a layer's input
LOGIT_BYTES = 12  # per position and vocabulary entry: logits, their float32 copy, their gradient
POSITIONS = 256  # whose logits exist at once; with a keep term the base's are added
EVALUATED_BYTES = 10  # the same without gradients; ms-swift evaluates padded rows, at every position
ADAPTER_BYTES = 16  # per parameter: itself, its gradient, Adam's two moments, in float32
RESERVE_BYTES = 1_200_000_000  # for fragments, workspaces, masks, the base's answers to the keep prompts
LINE_TOKENS = 512  # rows are packed into lines of this length (see train/passes/packing.py)
FILLING_TOKENS = 512  # no longer row takes the place of a question: two such rows a pass might not fit
SLACK_PERCENT = 110  # for unused tokens at the end of lines, and in a shape that all passes share
ALIGNMENT = 8
CHECKPOINTING_COST = 4 / 3  # one more forward pass for every forward and backward pass
PASS_TOKENS = 4000  # measured: 0.3 s a pass on an H100, whose arithmetic takes 28 us a token; a 4090's takes 140
GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Plan:
    micro_batch_size: int
    accumulation_steps: int
    gradient_checkpointing: bool
    reason: str
    answer_tokens: int | None = None  # that the base model may read and write at once; None: any number

    def to_dict(self) -> dict[str, Any]:
        """As settings of a recipe."""
        return {"micro_batch_size": self.micro_batch_size, "gradient_checkpointing": self.gradient_checkpointing}


@dataclass(frozen=True, kw_only=True)
class Need:
    """What determines a training's memory. `stored_bytes`: the size of the base model's weight files.

    `batch_tokens`: the most that the rows of a step have together; None if unknown, then each counts as the longest.
    `mean_keep_tokens`, `mean_near_tokens`: the average length of a keep row, and of one near the rows; they are drawn
    at random, so steps have about equally many. `question_tokens`: the longest question in scope, with its answer.
    `cards`: each computes its share of a pass.
    """

    recipe: Recipe
    config: Mapping[str, Any]
    longest_row_tokens: int
    stored_bytes: int
    batch_tokens: int | None = None
    precision: str = "bfloat16"
    mean_keep_tokens: int = 0
    mean_near_tokens: int = 0
    question_tokens: int = 0
    thought_tokens: int = 0  # of a row with a thought that the base model wrote
    cards: int = 1

    @property
    def weight_bytes(self) -> int:
        if self.recipe.load_in_4bit:
            return weight_bytes_in_4bit(self.config, self.precision)
        return weight_bytes_loaded(self.config, self.stored_bytes, self.precision)


@dataclass(frozen=True, kw_only=True)
class _Split:
    rows: int
    checkpointing: bool


def plan(need: Need, memory_bytes: int | None) -> Plan:
    """The fastest split of a step that fits. `memory_bytes`: free on the card before loading; None on a CPU.

    Raises ConfigError if nothing fits, and says what would. A recipe that leaves no choice is followed in any case.
    """
    recipe, splits = need.recipe, _splits(need.recipe)
    if memory_bytes is None:
        return _plan(recipe, splits[0], "no card: memory is not the limit")
    fitting = [one for one in splits if bytes_needed(need, one.rows, checkpointing=one.checkpointing) <= memory_bytes]
    if not fitting:
        if AUTO not in {recipe.micro_batch_size, recipe.gradient_checkpointing}:
            reason = f"as fixed, and it may not fit: up to {_gib(_least(need))} of {_gib(memory_bytes)}"
            return _plan(recipe, splits[0], reason, answer_tokens(need, memory_bytes))
        raise _nothing_fits(need, memory_bytes)
    best = min(fitting, key=lambda one: _cost(need, one))
    most = bytes_needed(need, best.rows, checkpointing=best.checkpointing)
    reason = f"at most {_gib(most)} of {_gib(memory_bytes)}, {_gib(need.weight_bytes)} of it weights"
    return _plan(recipe, best, reason, answer_tokens(need, most))


def choices(device: Device, chosen: Plan, base: BaseModel) -> list[str]:
    """What was chosen and why, as the user reads it before the first step."""
    checkpointing = "with" if chosen.gradient_checkpointing else "without"
    step = f"{chosen.micro_batch_size} rows x {chosen.accumulation_steps}, {checkpointing} gradient checkpointing"
    return [
        f"base model: {base.title} ({base.path})",
        *notes_of(base.name, base.config, takes_system=base.takes_system),
        f"device: {_counted(device)}; precision: {device.precision} ({device.reason})",
        f"a step: {step} ({chosen.reason})",
    ]


def bytes_needed(need: Need, rows: int, *, checkpointing: bool) -> int:
    """The most that a card must provide, weights included, with `rows` rows in a pass of all cards."""
    recipe, config = need.recipe, need.config
    tokens = _tokens(need, rows)
    wide = ELEMENT_BYTES[need.precision] / ELEMENT_BYTES["bfloat16"]
    positions = POSITIONS * (2 if recipe.keep_weight else 1)
    step = tokens * _backward_bytes(recipe, config, checkpointing=checkpointing) * wide
    step += positions * int(config["vocab_size"]) * LOGIT_BYTES
    evaluation = rows * need.longest_row_tokens * int(config["vocab_size"]) * EVALUATED_BYTES * wide
    return math.ceil(need.weight_bytes + _fixed_bytes(need) + max(step, evaluation if recipe.eval_split else 0))


def _splits(recipe: Recipe) -> list[_Split]:
    choices = [False, True] if recipe.gradient_checkpointing == AUTO else [bool(recipe.gradient_checkpointing)]
    return [
        _Split(rows=rows, checkpointing=checkpointing)
        for checkpointing in choices
        for rows in range(recipe.batch_size, 0, -1)
        if recipe.batch_size % rows == 0 and recipe.micro_batch_size in {AUTO, rows}
    ]


def _plan(recipe: Recipe, split: _Split, reason: str, answered: int | None = None) -> Plan:
    return Plan(
        micro_batch_size=split.rows,
        accumulation_steps=recipe.batch_size // split.rows,
        gradient_checkpointing=split.checkpointing,
        reason=reason,
        answer_tokens=answered,
    )


def _tokens(need: Need, rows: int) -> int:
    """The most tokens of a card's share of a pass, with those unused at the ends of a few longer lines or of more."""
    recipe, longest = need.recipe, max(need.longest_row_tokens, 1)
    rows = -(-rows // need.cards)
    width = max(LINE_TOKENS, -(-longest // ALIGNMENT) * ALIGNMENT)
    in_keep_rows = _share(recipe.keep_rows, need, rows) * need.mean_keep_tokens if recipe.keep_weight else 0
    if recipe.keep_weight:
        near_tokens = max(need.mean_near_tokens, need.mean_keep_tokens)  # keep rows take the place of missing ones
        in_keep_rows += _share(recipe.near_rows, need, rows) * near_tokens
    in_rows = _most_tokens(need, rows, longest)
    if questions := _share(recipe.question_rows, need, rows):
        filling = _most_tokens(need, questions, min(longest, FILLING_TOKENS))
        in_rows += max(questions * need.question_tokens, filling)
        rows, longest = rows + questions, max(longest, need.question_tokens)
        width = max(width, -(-longest // ALIGNMENT) * ALIGNMENT)
    if need.thought_tokens and (thoughts := _share(recipe.thought_rows, need, rows)):
        in_rows += thoughts * need.thought_tokens
        rows, longest = rows + thoughts, max(longest, need.thought_tokens)
        width = max(width, -(-longest // ALIGNMENT) * ALIGNMENT)
    lines = (in_rows + in_keep_rows) // width
    few = in_rows + in_keep_rows + (lines * (longest + ALIGNMENT) if lines > 1 else ALIGNMENT)
    more = -(-rows * width // (width // longest)) + in_keep_rows
    return -(-min(few, more) * SLACK_PERCENT // 100)


def _share(count: int, need: Need, rows: int) -> int:
    """How many of a step's `count` rows a pass has beside `rows` of its batch."""
    return -(-count * rows // need.recipe.batch_size)


def _most_tokens(need: Need, rows: int, longest: int) -> int:
    """The most tokens of `rows` rows of the data set, each of at most `longest`."""
    batches = -(-rows // need.recipe.batch_size)
    return rows * longest if need.batch_tokens is None else min(rows * longest, batches * need.batch_tokens)


def answer_tokens(need: Need, memory_bytes: int) -> int:
    """How many tokens the base model may read and write at once, in the room that training takes beside the weights."""
    return max(1, (memory_bytes - need.weight_bytes) // token_bytes(need.config, ELEMENT_BYTES[need.precision]))


def _backward_bytes(recipe: Recipe, config: Mapping[str, Any], *, checkpointing: bool) -> int:
    """Stored for the backward pass per token, over all layers; nothing below the lowest layer with an adapter."""
    layers, hidden = int(config["num_hidden_layers"]), int(config["hidden_size"])
    first = first_adapted(recipe, layers)
    adapted = ADAPTED_BYTES + (DROPOUT_BYTES if recipe.lora_dropout else 0)
    if checkpointing:  # … and the one layer that is being recomputed
        return hidden * (layers * CHECKPOINT_BYTES + adapted)
    return hidden * ((layers - 2 * first) * adapted + first * PASSED_BYTES)


def _fixed_bytes(need: Need) -> int:
    """Independent of the rows: the adapter, a reserve, and for 4-bit weights the largest matrix dequantised, twice."""
    config, layers = need.config, int(need.config["num_hidden_layers"])
    adapted = (layers - 2 * first_adapted(need.recipe, layers)) / layers
    adapter = adapted * lora_parameters(config, need.recipe.lora_rank) * ADAPTER_BYTES
    largest = max(a * b for a, b in linear_layers(config)) * ELEMENT_BYTES[need.precision]
    return RESERVE_BYTES + math.ceil(adapter) + (2 * largest if need.recipe.load_in_4bit else 0)


def _cost(need: Need, split: _Split) -> float:
    """The time of a step in passes: launching a pass's kernels takes as long as computing PASS_TOKENS tokens."""
    passes = need.recipe.batch_size / split.rows * (1 + _tokens(need, split.rows) / PASS_TOKENS)
    return passes * (CHECKPOINTING_COST if split.checkpointing else 1)


def _least(need: Need) -> int:
    return min(bytes_needed(need, one.rows, checkpointing=one.checkpointing) for one in _splits(need.recipe))


def _nothing_fits(need: Need, memory_bytes: int) -> ConfigError:
    least, recipe = _least(need), need.recipe
    remedies = []
    if _least(_without_fixed_split(need)) <= memory_bytes:
        remedies.append("micro_batch_size and gradient_checkpointing left at auto")
    in_4bit = replace(need, recipe=recipe.changed(load_in_4bit=True))
    if not recipe.load_in_4bit and _least(in_4bit) <= memory_bytes:
        remedies.append(f"--load-in-4bit ({_gib(_least(in_4bit))})")
    prefix, shorter = "", _longest_that_fits(need, memory_bytes)
    if shorter is None and not remedies and not recipe.load_in_4bit:
        prefix, shorter = "--load-in-4bit and ", _longest_that_fits(in_4bit, memory_bytes)
    if shorter is not None:
        remedies.append(f"{prefix}--max-length {shorter} (the longest row has {need.longest_row_tokens} tokens)")
    remedies.append(f"a smaller model, or a card with {math.ceil(least / GIB)} GiB free")
    caveat = f" {CHANGED}" if any("4bit" in one for one in remedies) else ""
    return ConfigError(
        f"This training does not fit on the card: it takes at least {_gib(least)}, {_gib(need.weight_bytes)} of it "
        f"weights, and {_gib(memory_bytes)} are free.",
        next=f"It would fit with {'; or with '.join(remedies)}.{caveat}",
    )


def _without_fixed_split(need: Need) -> Need:
    return replace(need, recipe=need.recipe.changed(micro_batch_size=AUTO, gradient_checkpointing=AUTO))


def _longest_that_fits(need: Need, memory_bytes: int) -> int | None:
    """In tokens of a row; longer rows would be left out."""
    lengths = range(ALIGNMENT, need.longest_row_tokens, ALIGNMENT)
    fitting = bisect_right(lengths, memory_bytes, key=lambda one: _least(replace(need, longest_row_tokens=one)))
    return lengths[fitting - 1] if fitting else None


def _counted(device: Device) -> str:
    if device.cards == 1:
        return device.name
    return f"{device.cards} {'processes on ' if device.kind == 'cpu' else 'x '}{device.name}"


def _gib(count: int) -> str:
    return f"{count / GIB:.1f} GiB"


def require_context(base: BaseModel, max_length_tokens: int) -> None:
    """Raises ConfigError for rows that are longer than what the model reads."""
    context = base.config.get("max_position_embeddings")
    if isinstance(context, int) and max_length_tokens > context:
        raise ConfigError(
            f"max_length_tokens is {max_length_tokens}, and {base.name} reads at most {context} tokens.",
            next=f"Use --max-length {context} or less.",
        )


def require_disk(output: Path, base: BaseModel, recipe: Recipe) -> None:
    """Raises ConfigError if the disk is too full: better now than in the last step."""
    needed = lora_parameters(base.config, recipe.lora_rank) * BYTES_PER_PARAMETER * SAVED_CHECKPOINTS
    require_free_space(output, needed, DISK_MARGIN_BYTES, purpose="a run", option="--output", error=ConfigError)
