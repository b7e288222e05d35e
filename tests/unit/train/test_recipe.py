"""Recipes: the shipped ones are whole, and a wrong setting is told before anything starts."""

import re
from pathlib import Path
from typing import Any

import pytest

from toolkit.core.errors import ConfigError
from toolkit.train.recipe import RECIPES, Recipe, better_recipe, load_recipe, recipe_from, shipped, target_regex


def settings(**changed: Any) -> dict[str, Any]:
    return load_recipe("article").to_dict() | changed


def refused(**changed: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        recipe_from(settings(**changed), name="mine", source="mine.yaml")
    return str(caught.value)


def written(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_loads_under_its_own_name(name: str):
    assert load_recipe(name).name == name


def test_the_article_recipe_holds_the_articles_hyper_parameters():
    recipe = load_recipe("article")

    assert (recipe.epochs, recipe.learning_rate, recipe.warmup_ratio) == (10, 1e-4, 0.05)
    assert (recipe.lora_rank, recipe.lora_alpha, recipe.target_modules) == (8, 32, ("all-linear",))
    assert (recipe.effective_batch_size, recipe.max_length_tokens) == (16, 2048)
    assert recipe.system == "You are a helpful assistant."


def test_given_settings_replace_the_recipes_own_and_none_leaves_them():
    recipe = load_recipe("article").changed(epochs=3.0, lora_rank=None, seed=7)

    assert (recipe.epochs, recipe.lora_rank, recipe.seed) == (3.0, 8, 7)


def test_a_recipe_survives_its_way_through_run_json():
    recipe = load_recipe("keep").changed(keep_systems=("You are terse.",))

    assert recipe_from(recipe.to_dict(), name=recipe.name, source="run.json") == recipe


@pytest.mark.parametrize(
    ("rows", "epochs", "steps"), [(50, 10, 40), (16, 1, 1), (17, 1, 2), (3, 0.01, 1), (50, 2.5, 10)]
)
def test_steps_are_counted_in_whole_batches(rows: int, epochs: float, steps: int):
    assert load_recipe("article").changed(epochs=epochs).steps(rows) == steps


def test_a_recipe_by_path(tmp_path: Path):
    text = (Path(__file__).parents[3] / "toolkit" / "train" / "recipes" / "article.yaml").read_text(encoding="utf-8")
    path = written(tmp_path, text.replace("epochs: 10 ", "epochs: 3 "))

    recipe = load_recipe(path)

    assert (recipe.name, recipe.epochs) == ("mine", 3)


def test_early_stopping_needs_rows_to_evaluate_on():
    assert "early_stop is 2, must be 0: it needs an eval_split over 0" in refused(early_stop=2)
    assert load_recipe("article").changed(early_stop=2, eval_split=0.1).early_stop == 2


def test_a_recipe_from_before_a_setting_came_stays_whole():
    before = {name: value for name, value in settings().items() if name not in {"eval_split", "stop_kl"}}

    assert recipe_from(before, name="article", source="run.json") == load_recipe("article")


@pytest.mark.parametrize("name", ["quick", "nowhere/quick.yaml", "../article", ""])
def test_an_unknown_recipe_names_the_shipped_ones(name: str):
    with pytest.raises(ConfigError, match=r"No recipe .*Shipped: article, "):
        load_recipe(name)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("epochs: [1", "is not YAML"),
        ("a: &a [x, x]\nb: &b [*a, *a]", "line 2: aliases"),
        ("a: " + "[" * 5000, "line 1: nested more than 100 deep"),
        ("seed: 1\nepochs: 2024-13-45", "line 2: not a value"),
        (f"seed: 1{'0' * 400}", "line 1: a number or date"),
        ("seed: \0", r"line 1: the character U\+0000"),
        ('system: "\\udc00"', "line 1: not a value"),
        ("", "has no settings"),
        ("- epochs", "has no settings"),
        ("epochs: 好".encode("gbk"), "is not UTF-8 text"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str | bytes, why: str):
    with pytest.raises(ConfigError, match=why):
        load_recipe(written(tmp_path, text))


def test_unknown_and_missing_settings_are_told_together(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"unknown: epoch; missing: .*epochs"):
        load_recipe(written(tmp_path, "epoch: 3"))


def test_all_wrong_settings_are_told_at_once():
    told = refused(epochs=0, lora_rank=True, seed=-1)

    assert "epochs is 0" in told
    assert "lora_rank is True" in told
    assert "seed is -1" in told


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("learning_rate", "1e-4"),  # what YAML makes of 1e-4
        ("learning_rate", float("nan")),
        ("lora_rank", 8.0),
        ("lora_rank", 0),
        ("target_modules", "all-linear"),
        ("target_modules", []),
        ("target_modules", [1]),
        ("scheduler", "cosin"),
        ("scheduler", ["cosine"]),
        ("precision", "fp16"),
        ("precision", {"auto": True}),
        ("gradient_checkpointing", "yes"),
        ("gradient_checkpointing", [True]),
        ("micro_batch_size", 3),
        ("micro_batch_size", None),
        ("batch_size", "16"),
        ("max_length_tokens", 7),
        ("system", None),
        ("save_every_steps", 0),
        ("keep_weight", -1),
        ("keep_data", ""),
        ("keep_systems", "You are terse."),
        ("eval_split", 1),
        ("early_stop", -1),
        ("stop_when_took", "yes"),
        ("stop_when_took", 1),
        ("stop_kl", -0.1),
        ("early_stop", 2),  # with nothing to evaluate on
    ],
)
def test_a_wrong_setting_is_named_with_what_it_must_be(setting: str, value: Any):
    told = refused(**{setting: value})

    assert told.startswith(f"Recipe mine: {setting} is ")
    assert ", must be " in told


def test_the_micro_batch_must_divide_the_batch():
    with pytest.raises(ConfigError, match=r"divides batch_size \(16\)"):
        load_recipe("article").changed(micro_batch_size=5)

    assert load_recipe("article").changed(micro_batch_size=4).micro_batch_size == 4


def test_a_recipe_cannot_be_changed_in_place():
    recipe: Recipe = load_recipe("article")

    with pytest.raises(AttributeError):
        recipe.epochs = 3  # type: ignore[misc]


def adapted_modules(**changed: object) -> list[str]:
    """What peft picks in a decoder of 28 layers: it matches the regex against full module names."""
    recipe = load_recipe("keep").changed(lora_layers="middle", **changed)
    names = [
        f"model.layers.{number}.{part}"
        for number in range(28)
        for part in ("self_attn.q_proj", "mlp.down_proj", "mlp.act_fn", "input_layernorm")
    ]
    return [name for name in [*names, "lm_head"] if re.fullmatch(str(target_regex(recipe, 28)), name)]


def test_the_middle_half_adapts_all_of_its_linear_layers():
    assert adapted_modules() == [
        f"model.layers.{number}.{part}" for number in range(7, 21) for part in ("self_attn.q_proj", "mlp.down_proj")
    ]


def test_the_middle_half_adapts_only_the_named_modules():
    assert adapted_modules(target_modules=("down_proj",)) == [
        f"model.layers.{number}.mlp.down_proj" for number in range(7, 21)
    ]


def test_all_layers_need_no_regex():
    assert target_regex(load_recipe("article"), 28) is None


@pytest.mark.parametrize(
    ("rows", "min_steps", "steps", "epochs"),
    [(8, 150, 150, 150), (50, 150, 150, 37.5), (50, 0, 40, 10), (50, 40, 40, 10)],
)
def test_few_rows_are_gone_through_more_often(rows: int, min_steps: int, steps: int, epochs: float):
    recipe = load_recipe("article").changed(min_steps=min_steps)

    assert recipe.steps(rows) == steps
    assert recipe.epochs_trained(rows) == epochs


def test_named_epochs_are_not_exceeded_unless_a_least_number_of_steps_is_named_too():
    recipe = load_recipe("article").changed(min_steps=150)

    assert recipe.changed(epochs=2).steps(50) == 8
    assert recipe.changed(epochs=2, min_steps=9).steps(50) == 9
    assert recipe.changed(learning_rate=0.01).steps(50) == 150


@pytest.mark.parametrize(
    ("epochs", "min_steps", "label"),
    [
        (10, 150, "10 epochs, at least 150 steps"),
        (0.5, 0, "0.5 epochs"),
        (1, 2, "1 epoch, at least 2 steps"),
        (1, 1, "1 epoch"),
    ],
)
def test_the_label_has_epochs_and_the_least_number_of_steps(epochs: float, min_steps: int, label: str):
    assert load_recipe("article").changed(epochs=epochs, min_steps=min_steps).epochs_label == label


@pytest.mark.parametrize(
    ("setting", "value"), [("question_rows", -1), ("near_rows", 5000), ("question_rows", 1.5), ("min_steps", -1)]
)
def test_wrong_numbers_of_questions_are_refused(setting: str, value: float):
    assert f"{setting} is {value}" in refused(**{setting: value})


def test_the_general_recipe_trains_each_row_as_it_is():
    recipe = load_recipe("general")

    assert not recipe.repeats
    assert (recipe.variants, recipe.near_rows, recipe.min_steps) == (1, 0, 0)
    assert recipe.keep_weight > 0


@pytest.mark.parametrize(
    ("name", "rows", "proposed"),
    [("keep", 50_000, True), ("keep", 1001, True), ("keep", 1000, False), ("general", 50_000, False),
     ("article", 50_000, False)],
)  # fmt: skip
def test_the_general_recipe_is_proposed_for_many_rows_that_would_be_repeated(name: str, rows: int, proposed: bool):
    why = better_recipe(load_recipe(name), rows)

    assert (why is not None) is proposed


def test_the_proposal_says_what_both_recipes_do():
    assert better_recipe(load_recipe("keep"), 50_000) == (
        "50000 rows are more than a small change, and recipe keep trains each of them 24 times, in several wordings "
        "(150000 steps); recipe general trains them as they are (2 epochs, 6250 steps)."
    )


def test_a_base_that_thinks_keeps_its_thoughts_or_stops():
    keep = load_recipe("keep")

    assert keep.of_thinking(thinks=True, name="m") == keep
    assert (keep.thinking, keep.thought_rows > 0, keep.keep_thought_tokens > 0) == ("keep", True, True)
    off = keep.changed(thinking="off").of_thinking(thinks=True, name="m")
    assert (off.keep_thought_tokens, off.thought_rows) == (0, keep.thought_rows)


def test_off_in_a_yaml_file_is_off(tmp_path):
    path = tmp_path / "quick.yaml"
    path.write_text((RECIPES / "tiny.yaml").read_text().replace("thinking: keep", "thinking: off"))

    assert load_recipe(str(path)).thinking == "off"


def test_a_base_that_does_not_think_has_no_thoughts_to_keep_or_to_stop():
    keep = load_recipe("keep").of_thinking(thinks=False, name="m")

    assert (keep.keep_thought_tokens, keep.thought_rows) == (0, 0)
    with pytest.raises(ConfigError, match="m does not think: its chat template asks for no thought"):
        load_recipe("keep").changed(thinking="off").of_thinking(thinks=False, name="m")
