"""The settings of a training that fit into memory and on the disk, with the reason. Pure but for disk."""

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError
from toolkit.core.files import require_free_space
from toolkit.core.text import counted
from toolkit.model.base_model import BaseModel
from toolkit.model.cards.shares import can_share, require_sharing
from toolkit.model.device import Device
from toolkit.model.families.family import notes_of
from toolkit.model.families.sizes import embedding_bytes, lora_parameters
from toolkit.model.four_bits import CHANGED
from toolkit.train.planning.memory import (
    ALIGNMENT,
    POSITIONS,
    Need,
    Split,
    answer_tokens,
    bytes_needed,
    pass_tokens,
    weights_on_card,
)
from toolkit.train.recipe import AUTO, Recipe

BYTES_PER_PARAMETER = 4 + 8  # a checkpoint: the adapter in float32, and Adam's two moments
SAVED_CHECKPOINTS = 2
DISK_MARGIN_BYTES = 64_000_000
CHECKPOINTING_COST = 4 / 3  # one more forward pass for every forward and backward pass
PASS_TOKENS = 4000  # measured: 0.3 s a pass on an H100, whose arithmetic takes 28 us a token; a 4090's takes 140
FEW_POSITIONS = 64  # as few logits at once as make a difference: the head's weights are read for each chunk of them
SHARED_BY = (2, 4, 8)  # cards of a host, as they are sold
GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Plan:
    micro_batch_size: int
    accumulation_steps: int
    gradient_checkpointing: bool
    reason: str
    answer_tokens: int | None = None  # that the base model may read and write at once; None: any number
    logit_positions: int = POSITIONS
    embedding_on_host: bool = False
    shared_because: str | None = None  # the base model is shared out over the cards; None: each has all of it

    def to_dict(self) -> dict[str, Any]:
        """As settings of a recipe."""
        return {
            "micro_batch_size": self.micro_batch_size, "gradient_checkpointing": self.gradient_checkpointing,
            "shard": self.shared_because is not None,
        }  # fmt: skip


def plan(need: Need, memory_bytes: int | None) -> Plan:
    """The fastest split of a step that fits. `memory_bytes`: free on the card before loading; None on a CPU.

    Raises ConfigError if nothing fits, and says what would. A recipe that leaves no choice is followed in any case.
    """
    why = _why_shared(need, memory_bytes)
    if why is None:
        return _fastest(need, memory_bytes)
    return replace(_fastest(_shared(need, need.cards), memory_bytes), shared_because=why)


def _fastest(need: Need, memory_bytes: int | None) -> Plan:
    recipe, splits = need.recipe, _splits(need.recipe)
    if memory_bytes is None:
        return _plan(recipe, splits[0], "no card: memory is not the limit")
    # What spares memory at the price of time comes into question only where nothing fits without.
    fitting = _fitting(need, splits, memory_bytes) or _fitting(need, sparing(need), memory_bytes)
    if not fitting:
        if AUTO not in {recipe.micro_batch_size, recipe.gradient_checkpointing}:
            reason = f"as fixed, and it may not fit: up to {_gib(_least(need))} of {_gib(memory_bytes)}"
            return _plan(recipe, splits[0], reason, answer_tokens(need, splits[0], memory_bytes))
        raise _nothing_fits(need, memory_bytes)
    best = min(fitting, key=lambda one: _cost(need, one))
    most = bytes_needed(need, best)
    reason = f"at most {_gib(most)} of {_gib(memory_bytes)}, {_gib(weights_on_card(need, best))} of it weights"
    return _plan(recipe, best, reason, answer_tokens(need, best, most))


def _why_shared(need: Need, memory_bytes: int | None) -> str | None:
    """Why the base model is shared out over the cards; None where each has all of it.

    Raises ConfigError where that is asked for and not possible.
    """
    shard = need.recipe.shard
    if need.cards == 1 or not shard:
        return None
    if shard != AUTO:
        require_sharing(need.config, in_4bit=need.recipe.load_in_4bit, on_cards=memory_bytes is not None)
        return "as asked"
    can = can_share(need.config, in_4bit=need.recipe.load_in_4bit, on_cards=True)
    if memory_bytes is None or _least(need) <= memory_bytes or not can:
        return None
    return f"whole it takes at least {_gib(_least(need))}, and {_gib(memory_bytes)} are free"


def _shared(need: Need, cards: int) -> Need:
    """With the base model shared out over so many cards, where no pass is without a mask."""
    return replace(need, cards=cards, shared=True, one_line_from=None)


def sparing(need: Need) -> list[Split]:
    """Splits with fewer logits at once, and where it can with the embedding in the host's memory.

    It can in 4 bits, where the embedding has weights of its own: nothing trains, merges or saves them.
    """
    can = need.recipe.load_in_4bit and not need.config.get("tie_word_embeddings")
    few = [replace(one, positions=FEW_POSITIONS) for one in _splits(need.recipe)]
    return few + ([replace(one, on_host=True) for one in few] if can else [])


def _fitting(need: Need, splits: list[Split], memory_bytes: int) -> list[Split]:
    return [one for one in splits if bytes_needed(need, one) <= memory_bytes]


def choices(device: Device, chosen: Plan, base: BaseModel) -> list[str]:
    """What was chosen and why, as the user reads it before the first step."""
    checkpointing = "with" if chosen.gradient_checkpointing else "without"
    rows = counted(chosen.micro_batch_size, "row")
    step = f"{rows} x {chosen.accumulation_steps}, {checkpointing} gradient checkpointing"
    return [
        f"base model: {base.title} ({base.path})",
        *([] if (why := chosen.shared_because) is None else [f"shared out over {_counted(device)}: {why}"]),
        *notes_of(base.name, base.config, takes_system=base.takes_system),
        f"device: {_counted(device)}; precision: {device.precision} ({device.reason})",
        f"a step: {step} ({chosen.reason})",
        *_spared(chosen, device, base),
    ]


def _spared(chosen: Plan, device: Device, base: BaseModel) -> list[str]:
    if chosen.logit_positions == POSITIONS:
        return []
    how = f"logits of {chosen.logit_positions} tokens at a time"
    if chosen.embedding_on_host:
        table = embedding_bytes(base.config, device.precision)
        how += f", and the embedding ({_gib(table)}) in the host's memory"
    return [f"to fit: {how}"]


def _splits(recipe: Recipe) -> list[Split]:
    choices = [False, True] if recipe.gradient_checkpointing == AUTO else [bool(recipe.gradient_checkpointing)]
    return [
        Split(rows=rows, checkpointing=checkpointing)
        for checkpointing in choices
        for rows in range(recipe.batch_size, 0, -1)
        if recipe.batch_size % rows == 0 and recipe.micro_batch_size in {AUTO, rows}
    ]


def _plan(recipe: Recipe, split: Split, reason: str, answered: int | None = None) -> Plan:
    return Plan(
        micro_batch_size=split.rows,
        accumulation_steps=recipe.batch_size // split.rows,
        gradient_checkpointing=split.checkpointing,
        reason=reason,
        answer_tokens=answered,
        logit_positions=split.positions,
        embedding_on_host=split.on_host,
    )


def _cost(need: Need, split: Split) -> float:
    """The time of a step in passes: launching a pass's kernels takes as long as computing PASS_TOKENS tokens."""
    passes = need.recipe.batch_size / split.rows * (1 + pass_tokens(need, split.rows) / PASS_TOKENS)
    return passes * (CHECKPOINTING_COST if split.checkpointing else 1)


def _least(need: Need) -> int:
    return min(bytes_needed(need, one) for one in [*_splits(need.recipe), *sparing(need)])


def _nothing_fits(need: Need, memory_bytes: int) -> ConfigError:
    least, recipe = _least(need), need.recipe
    remedies = []
    if _least(_without_fixed_split(need)) <= memory_bytes:
        remedies.append("micro_batch_size and gradient_checkpointing left at auto")
    in_4bit = replace(need, shared=False, recipe=recipe.changed(load_in_4bit=True))
    if not recipe.load_in_4bit and _least(in_4bit) <= memory_bytes:
        remedies.append(f"--load-in-4bit ({_gib(_least(in_4bit))})")
    prefix, shorter = "", _longest_that_fits(need, memory_bytes)
    if shorter is None and not remedies and not recipe.load_in_4bit:
        prefix, shorter = "--load-in-4bit and ", _longest_that_fits(in_4bit, memory_bytes)
    if shorter is not None:
        remedies.append(f"{prefix}--max-length {shorter} (the longest row has {need.longest_row_tokens} tokens)")
    if recipe.shard and can_share(need.config, in_4bit=recipe.load_in_4bit, on_cards=True):
        counts = (count for count in SHARED_BY if count > need.cards)
        enough = next((count for count in counts if _least(_shared(need, count)) <= memory_bytes), None)
        remedies += [] if enough is None else [f"--cards {enough}, which share the base model"]
    remedies.append(f"a smaller model, or a card with {math.ceil(least / GIB)} GiB free")
    caveat = f" {CHANGED}" if any("4bit" in one for one in remedies) else ""
    advice = f"It would fit with {'; or with '.join(remedies)}.{caveat}"
    takes, weights, free = map(_gib, (least, weights_on_card(need, _splits(recipe)[0]), memory_bytes))
    if need.shared:
        return ConfigError(
            f"This training does not fit on {need.cards} cards that share the base model: each takes at least {takes}, "
            f"{weights} of it weights, and {free} are free.",
            next=advice,
        )
    return ConfigError(
        f"This training does not fit on the card: it takes at least {takes}, {weights} of it weights, and {free} are "
        "free.",
        next=advice,
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


def recipe_of(base: BaseModel, recipe: Recipe) -> Recipe:
    """The recipe as this base model is trained by it: without what the model has no place for.

    Raises ConfigError where it names thoughts that the model does not have.
    """
    recipe = recipe if base.takes_system else recipe.without_systems()
    return recipe.of_thinking(thinks=base.thinks, name=base.name)


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
