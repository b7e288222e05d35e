"""Which runs a sweep has: every combination once, and nothing that a recipe does not use."""

import pytest

from toolkit.core.errors import ConfigError
from toolkit.sweep.grid import PlannedRun, grid, varying
from toolkit.train.recipe import load_recipe

ARTICLE, KEEP = load_recipe("article"), load_recipe("keep")


def names_and_settings(planned: list[PlannedRun]) -> list[tuple[str, dict[str, float]]]:
    return [(one.recipe.name, dict(one.settings)) for one in planned]


def test_every_combination_is_a_run_in_the_order_given():
    planned = grid([ARTICLE], {"epochs": [3.0, 5.0], "seed": [1, 2]})

    assert names_and_settings(planned) == [
        ("article", {"epochs": epochs, "seed": seed}) for epochs in (3.0, 5.0) for seed in (1, 2)
    ]  # fmt: skip
    assert (planned[3].recipe.epochs, planned[3].recipe.seed) == (5.0, 2)


def test_without_lists_each_recipe_is_one_run_with_its_own_settings():
    assert [one.recipe for one in grid([ARTICLE, KEEP], {})] == [ARTICLE, KEEP]


def test_the_keep_terms_settings_multiply_no_recipe_without_one():
    planned = grid([ARTICLE, KEEP], {"epochs": [3.0], "keep_weight": [1.0, 3.0], "keep_rows": [8, 16]})

    assert [name for name, _ in names_and_settings(planned)] == ["article", *["keep"] * 4]
    assert names_and_settings(planned)[0] == ("article", {"epochs": 3.0})


def test_a_weight_of_none_makes_one_run_whatever_the_rows():
    planned = grid([KEEP], {"keep_weight": [0.0, 3.0], "keep_rows": [8, 16]})

    assert names_and_settings(planned) == [
        ("keep", {"keep_weight": 0.0}),
        ("keep", {"keep_weight": 3.0, "keep_rows": 8}),
        ("keep", {"keep_weight": 3.0, "keep_rows": 16}),
    ]


def test_runs_that_would_train_the_same_are_one():
    same = {"learning_rate": [ARTICLE.learning_rate], "epochs": [ARTICLE.epochs]}
    as_article = KEEP.changed(
        keep_weight=0.0, lora_layers="all", row_systems=(), row_wordings=False, batch_size=ARTICLE.batch_size,
        question_rows=0, min_steps=0,
    )  # fmt: skip

    assert names_and_settings(grid([ARTICLE, ARTICLE, as_article], same)) == [
        ("article", {"learning_rate": ARTICLE.learning_rate, "epochs": ARTICLE.epochs}),
    ]


def test_the_most_runs_are_64():
    assert len(grid([ARTICLE], {"seed": range(64)})) == 64
    with pytest.raises(ConfigError, match="has 65 runs; at most 64 are allowed"):
        grid([ARTICLE], {"seed": range(65)})


def test_a_value_that_no_recipe_takes_is_refused():
    with pytest.raises(ConfigError, match="epochs is 0"):
        grid([ARTICLE], {"epochs": [3.0, 0.0]})


def test_only_what_tells_the_runs_apart_varies():
    planned = grid([ARTICLE, KEEP], {"epochs": [3.0], "seed": [1, 2], "keep_weight": [5.0]})

    assert varying([one.settings for one in planned]) == ["seed", "keep_weight"]
