"""The runs of a sweep: every combination of settings for every recipe, without duplicates. Pure."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.core.errors import ConfigError
from toolkit.train.recipe import Recipe

MOST_RUNS = 64
KEEP_WEIGHT = "keep_weight"


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """`settings`: those of the sweep's settings that this run uses."""

    recipe: Recipe
    settings: Mapping[str, Any]


def grid(recipes: Sequence[Recipe], lists: Mapping[str, Sequence[Any]]) -> list[PlannedRun]:
    """Every combination, in the order given; of those that would train the same, only the first.

    A setting that a recipe does not use adds no runs: without a keep term, the keep term's settings. Raises
    ConfigError.
    """
    found: dict[tuple[Any, ...], PlannedRun] = {}
    for recipe in recipes:
        used = {name: values for name, values in lists.items() if values and _uses(recipe, name)}
        for combination in itertools.product(*used.values()):
            settings = dict(zip(used, combination, strict=True))
            changed = recipe.changed(**settings)
            settings = {name: value for name, value in settings.items() if name == KEEP_WEIGHT or _uses(changed, name)}
            found.setdefault(_training_key(changed), PlannedRun(recipe=changed, settings=settings))
    if len(found) > MOST_RUNS:
        raise ConfigError(
            f"This sweep has {len(found)} runs; at most {MOST_RUNS} are allowed.",
            next="Shorten the lists, or split the sweep.",
        )
    return list(found.values())


def varying(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of settings that differ between runs, in the order given."""
    names = dict.fromkeys(name for each in settings for name in each)
    return [name for name in names if len({each.get(name) for each in settings}) > 1]


def _uses(recipe: Recipe, name: str) -> bool:
    return recipe.keep_weight > 0 or not name.startswith(("keep_", "near_"))


def _training_key(recipe: Recipe) -> tuple[Any, ...]:
    """Equal for recipes that train the same, whatever their name."""
    return tuple(value for name, value in vars(recipe).items() if name != "name" and _uses(recipe, name))
