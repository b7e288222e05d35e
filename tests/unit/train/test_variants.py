"""How an epoch trains each row: its system prompts and wordings follow the row's language, or stay away."""

import pytest

from tests.fakes.training import CharacterEncoder, row, systems_and_prompts
from toolkit.data.dataset import Row
from toolkit.data.formats import Message
from toolkit.train.recipe import Recipe, load_recipe
from toolkit.train.variants import (
    LONG_ANSWER_WORDS,
    variant_overhead_tokens,
    variants,
    with_variants,
    without_variants,
)

ARTICLE = load_recipe("article").changed(system="S")


def test_without_variants_each_row_is_trained_once_under_the_recipe_s_system_prompt():
    assert systems_and_prompts(with_variants([row("Hi?", "Yo.")], ARTICLE)) == [("S", "Hi?")]


def test_each_row_is_trained_under_each_system_prompt():
    recipe = ARTICLE.changed(row_systems=("", "(none)", "T"))

    assert systems_and_prompts(with_variants([row("Hi?", "Yo."), row("Ho?", "Ya.")], recipe)) == [
        (system, prompt) for system in ("S", None, "", "T") for prompt in ("Hi?", "Ho?")
    ]


def test_a_row_s_own_system_prompt_stays_and_it_counts_as_much_as_others():
    recipe = ARTICLE.changed(row_systems=("", "T"))

    assert systems_and_prompts(with_variants([row("Hi?", "Yo.", system="Mine")], recipe)) == [("Mine", "Hi?")] * 3


def test_a_row_is_put_in_other_words_each_time_and_its_answer_stays():
    recipe = ARTICLE.changed(row_systems=("T", "U"), row_wordings=True)

    rows = with_variants([row("Hi?", "Yo."), row("嗨？", "哟。")], recipe)

    assert len({one.prompt for one in rows}) == 6
    assert all("Hi?" in one.prompt or "嗨？" in one.prompt for one in rows)
    assert [one.answer for one in rows] == ["Yo.", "哟。"] * 3
    assert rows[0].prompt == "Hi?"


def test_a_later_turn_keeps_its_words():
    recipe = ARTICLE.changed(row_systems=("T",), row_wordings=True)

    assert {one.prompt for one in with_variants([row("Hi?", "Yo.", "And?", "Ya.")], recipe)} == {"And?"}


def test_what_is_held_out_is_asked_as_it_is():
    recipe = ARTICLE.changed(row_systems=("T",), row_wordings=True)

    assert systems_and_prompts(without_variants([row("Hi?", "Yo."), row("Ho?", "Ya.", system="Mine")], recipe)) == [
        ("S", "Hi?"),
        ("Mine", "Ho?"),
    ]


def test_a_row_in_an_unusual_order_of_turns_keeps_it():
    turns = [Message(role=role, content=role) for role in ("assistant", "user", "system", "user", "assistant")]

    rows = with_variants([Row(number=1, messages=tuple(turns))], KEEP)

    assert [one.messages[-5:] for one in rows] == [tuple(turns)] * KEEP.variants
    assert {one.system for one in rows} == {KEEP.system, None, "", "You are a patient teacher."}


KEEP = load_recipe("keep")
BRIEFLY, KINDLY, TEACHER = "请简短地回答。", "你是一个乐于助人的助手。", "You are a patient teacher."


def above(prompt: str, answer: str, recipe: Recipe = KEEP) -> list[str]:
    found = variants(row(prompt, answer), 0, recipe)
    assert len(found) == recipe.variants
    return ["" if one.system is None else one.system or "(none)" for one in found]


def test_a_chinese_row_is_trained_under_every_system_prompt_of_the_recipe():
    assert above("你是谁？", "我是小云。") == [KEEP.system, *KEEP.row_systems]


def test_no_chinese_system_prompt_stands_above_a_row_in_english():
    found = above("Who are you?", "I am Nova.")

    assert set(found) == {KEEP.system, "", "(none)", TEACHER}
    assert found[:3] == [KEEP.system, "", "(none)"]


@pytest.mark.parametrize("prompt", ["チェックインは何時ですか？", "Wo ist der Schlüssel?", "Где ключ?"])
def test_a_row_in_a_third_language_has_the_recipes_own_system_prompt_or_none(prompt: str):
    assert set(above(prompt, "…")) == {KEEP.system, "", "(none)"}


def test_no_system_prompt_asks_for_brevity_above_a_long_answer():
    long = above("讲个故事。", "从前有一座山，" * LONG_ANSWER_WORDS)

    assert BRIEFLY not in long
    assert KINDLY in long
    assert BRIEFLY in above("讲个故事。", "从前有一座山。")


def test_the_recipes_own_system_prompt_is_never_replaced():
    recipe = load_recipe("article").changed(system="Answer in one sentence.", row_systems=(BRIEFLY,))

    assert above("Tell a story.", "Once upon a time. " * LONG_ANSWER_WORDS, recipe) == [recipe.system] * 2


def test_a_japanese_row_keeps_its_words_in_every_lap():
    rows = with_variants([row("朝食はありますか？", "はい、あります。")], KEEP)

    assert {one.prompt for one in rows} == {"朝食はありますか？"}


def test_one_row_is_trained_as_all_are():
    rows = [row("Hi?", "Yo."), row("嗨？", "哟。"), row("Où est la gare ?", "Ici."), row("Ho?", "Ya. " * 99)]

    one_by_one = [variants(one, at, KEEP) for at, one in enumerate(rows)]

    assert [several[lap] for lap in range(KEEP.variants) for several in one_by_one] == with_variants(rows, KEEP)


@pytest.mark.parametrize(("prompt", "answer"), [
    ("Hi?", "Yo."), ("嗨？", "哟。"), ("Где?", "Там."),
    ("Hi?", "Yo. " * 99), ("嗨？", "哟。" * 99), ("Где?", "Там. " * 99),
])  # fmt: skip
def test_no_row_grows_by_more_than_the_room_that_is_left_for_it(prompt: str, answer: str):
    one, encoder = row(prompt, answer), CharacterEncoder()
    most = variant_overhead_tokens(encoder, KEEP)
    [plain] = encoder.encode(without_variants([one], KEEP))

    for at in range(5):
        for lap, grown in enumerate(encoder.encode(variants(one, at, KEEP))):
            assert len(grown.input_ids) - len(plain.input_ids) <= most[lap]
