"""The rows as they are trained on: each under several system prompts, in other words each time. Pure.

What was learnt under one system prompt alone is said less under another, above all under one that names the base model;
what was learnt in one wording alone is said less in another (measured: docs/recipe.md).
"""

from collections.abc import Sequence

from toolkit.dataset import Message, Row
from toolkit.recipe import Recipe
from toolkit.systems import DEFAULT, NONE
from toolkit.wordings import TRAINING, within


def varied(rows: Sequence[Row], recipe: Recipe) -> list[Row]:
    """Each row once under each of the recipe's system prompts; one that brings its own stays under that.

    A row without a system message stands for DEFAULT: the chat template then speaks its own.
    """
    systems = (recipe.system, *recipe.row_systems)
    return [
        _variant(row, system, lap + at if recipe.row_wordings else 0)
        for lap, system in enumerate(systems)
        for at, row in enumerate(rows)
    ]


def plainly(rows: Sequence[Row], recipe: Recipe) -> list[Row]:
    """Each row once, under the recipe's own system prompt where it brings none."""
    return [_variant(row, recipe.system, 0) for row in rows]


def _variant(row: Row, system: str, number: int) -> Row:
    *before, asked, answer = row.messages
    if row.system is None and system != DEFAULT:
        before = [Message(role="system", content="" if system == NONE else system), *before]
    if row.of_one_turn:  # a later turn answers to words that stay
        asked = Message(role=asked.role, content=within(TRAINING, asked.content, number))
    return Row(number=row.number, messages=(*before, asked, answer))
