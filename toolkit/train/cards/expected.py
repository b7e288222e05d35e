"""What a training will take of a card's memory, before it starts: an upper bound from the data set's lengths."""

from collections.abc import Sequence
from pathlib import Path

from toolkit.core.errors import ConfigError, DataError
from toolkit.data.dataset import find_dataset
from toolkit.data.row_checks import Finding
from toolkit.model.base_model import BaseModel
from toolkit.model.device import Device
from toolkit.train.beside_rows import tokens
from toolkit.train.job import TEMPLATE_TOKENS, KeepJob
from toolkit.train.keep_set import read_keep_prompts
from toolkit.train.planning.memory import Need
from toolkit.train.planning.plan import plan
from toolkit.train.questions.write import ANSWER_TOKENS, QUESTION_TOKENS
from toolkit.train.recipe import Recipe
from toolkit.train.texts.thoughts import WRITTEN_TOKENS

MEMORY = "memory"  # a kind of finding


def expected_memory(longest_row_tokens: int, recipe: Recipe, base: BaseModel, device: Device) -> Finding:
    """A note on how a step is split and what it takes of the whole card; a warning if it does not fit, with what would.

    Questions that are not written yet count as long as the model may write them.
    """
    recipe = recipe.of_thinking(thinks=base.thinks, name=base.name)
    prompts = _keep_prompts(recipe)
    template = TEMPLATE_TOKENS + max(map(tokens, (recipe.system, *recipe.row_systems, *recipe.keep_systems)))
    thoughts = recipe.thinking == "keep" and recipe.thought_rows
    need = Need(
        recipe=recipe, config=base.config, longest_row_tokens=min(longest_row_tokens, recipe.max_length_tokens),
        stored_bytes=base.weight_bytes, precision=device.precision,
        mean_keep_tokens=0 if not prompts else _keep_job(recipe, prompts).mean_row_tokens,
        question_tokens=template + QUESTION_TOKENS + ANSWER_TOKENS if recipe.question_rows else 0,
        mean_near_tokens=template + QUESTION_TOKENS + recipe.keep_max_new_tokens if recipe.near_rows else 0,
        thought_tokens=longest_row_tokens + WRITTEN_TOKENS if thoughts else 0,
    )  # fmt: skip
    try:
        chosen = plan(need, device.memory_bytes)
    except ConfigError as error:
        return Finding(level="warning", kind=MEMORY, message=error.what, remedy=error.next.rstrip("."))
    checkpointing = "with" if chosen.gradient_checkpointing else "without"
    rows = f"{chosen.micro_batch_size} rows x {chosen.accumulation_steps}"
    message = f"A step: {rows}, {checkpointing} gradient checkpointing, on {device.name} ({chosen.reason})."
    return Finding(level="note", kind=MEMORY, message=message)


def _keep_prompts(recipe: Recipe) -> list[str]:
    """Those of the recipe's keep set; a set that cannot be read is the training's to refuse."""
    if not recipe.keep_weight:
        return []
    try:
        return read_keep_prompts(find_dataset(recipe.keep_data))
    except DataError:
        return []


def _keep_job(recipe: Recipe, prompts: Sequence[str]) -> KeepJob:
    systems = (recipe.system, *recipe.keep_systems)
    pairs = [(prompt, systems[number % len(systems)]) for number, prompt in enumerate(prompts)]
    return KeepJob(
        prompts=pairs, weight=recipe.keep_weight, rows_per_step=recipe.keep_rows,
        max_new_tokens=recipe.keep_max_new_tokens, thought_tokens=recipe.keep_thought_tokens, cache=Path(),
    )  # fmt: skip
