"""Findings on how a data set's rows and a recipe fit each other. Pure."""

from collections.abc import Iterator

from toolkit.data.dataset import Row
from toolkit.data.row_checks import Finding
from toolkit.train.recipe import GENERAL, Recipe, better_recipe

LENGTH = "length"  # a kind of finding
FEW_STEPS = 20  # fewer barely change an adapter


def too_long(row: Row, count: int, limit: int) -> Finding:
    """`count`, `limit`: in tokens."""
    return Finding(
        level="warning",
        kind=LENGTH,
        row=row.number,
        message=f"{count} tokens, over the recipe's {limit}: training skips it",
        remedy="shorten it, split it, or raise --max-length",
    )


def nothing_trained(row: Row) -> Finding:
    """Of a row all of whose labels are masked."""
    return Finding(
        level="error",
        kind="mask",
        row=row.number,
        message="none of its tokens is trained on",
        remedy="see the preview, and write an answer that the chat template keeps",
    )


def check_languages(foreign: int, rows: int, recipe: Recipe) -> Iterator[Finding]:
    """`foreign`: so many of the rows are in neither Chinese nor English."""
    if foreign and (recipe.row_wordings or recipe.row_systems):
        yield Finding(
            level="note",
            kind="language",
            message=f"{foreign} of {rows} rows {'is' if foreign == 1 else 'are'} in neither Chinese nor English: "
            "trained in their own "
            "words only, and probes that are made from the rows ask nothing in other words.",
            remedy="Write such probes yourself, beside the data (NAME.probes.yaml)",
        )


def propose_recipe(rows: int, recipe: Recipe) -> Iterator[Finding]:
    """Another recipe, where that suits so many rows better."""
    if (why := better_recipe(recipe, rows)) is not None:
        yield Finding(level="note", kind="recipe", message=why, remedy=f"Train with --recipe {GENERAL}")


def check_steps(rows: int, recipe: Recipe) -> Iterator[Finding]:
    """An error for no rows at all, a warning for too few."""
    if rows == 0:
        remedy = "Correct those with errors, or add others"
        yield Finding(level="error", kind="rows", message="No rows are left to train on.", remedy=remedy)
    elif (steps := recipe.steps(rows)) < FEW_STEPS:
        make, noun = "row makes" if rows == 1 else "rows make", "step" if steps == 1 else "steps"
        yield Finding(
            level="warning",
            kind="steps",
            message=f"{rows} {make} only {steps} optimizer {noun} (batch {recipe.batch_size}, "
            f"{recipe.epochs_label}); an adapter barely learns in fewer than {FEW_STEPS}.",
            remedy="Add rows, raise --epochs, or lower --batch-size",
        )
