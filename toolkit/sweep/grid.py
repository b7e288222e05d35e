"""The runs of a sweep: lists of settings laid over recipes, each run once. Pure."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.core.errors import ConfigError
from toolkit.train.recipe import Recipe

MOST_RUNS = 64
KEEP_WEIGHT = "keep_weight"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One run to come; `settings`: those of the given ones that it uses."""

    recipe: Recipe
    settings: Mapping[str, Any]


def grid(recipes: Sequence[Recipe], lists: Mapping[str, Sequence[Any]]) -> list[Planned]:
    """Every combination, in the order given, without those that would train the same. Raises ConfigError.

    What a recipe does not use does not multiply its runs: without a keep term, the keep term's settings.
    """
    found: dict[tuple[Any, ...], Planned] = {}
    for recipe in recipes:
        used = {name: values for name, values in lists.items() if values and _uses(recipe, name)}
        for combination in itertools.product(*used.values()):
            settings = dict(zip(used, combination, strict=True))
            changed = recipe.changed(**settings)
            settings = {name: value for name, value in settings.items() if name == KEEP_WEIGHT or _uses(changed, name)}
            found.setdefault(_trains(changed), Planned(recipe=changed, settings=settings))
    if len(found) > MOST_RUNS:
        raise ConfigError(
            f"This sweep has {len(found)} runs, {MOST_RUNS} are the most.", next="Shorten the lists, or sweep in parts."
        )
    return list(found.values())


def varying(planned: Sequence[Mapping[str, Any]]) -> list[str]:
    """The settings that tell the runs apart, in the order given."""
    names = dict.fromkeys(name for settings in planned for name in settings)
    return [name for name in names if len({settings.get(name) for settings in planned}) > 1]


def _uses(recipe: Recipe, name: str) -> bool:
    return recipe.keep_weight > 0 or not name.startswith("keep_")


def _trains(recipe: Recipe) -> tuple[Any, ...]:
    """Equal for recipes that train the same, whatever their name."""
    return tuple(value for name, value in vars(recipe).items() if name != "name" and _uses(recipe, name))
