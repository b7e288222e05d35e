"""The rows as they are trained on: which system prompts, which words, and what stays."""

from toolkit.data.dataset import Row
from toolkit.data.formats import Message
from toolkit.train.recipe import load_recipe
from toolkit.train.rows import with_variants, without_variants

ARTICLE = load_recipe("article").changed(system="S")


def row(*turns: str, system: str | None = None) -> Row:
    messages = [] if system is None else [Message(role="system", content=system)]
    messages += [Message(role=("user", "assistant")[at % 2], content=turn) for at, turn in enumerate(turns)]
    return Row(number=1, messages=tuple(messages))


def told(rows: list[Row]) -> list[tuple[str | None, str]]:
    return [(one.system, one.prompt) for one in rows]


def test_without_variants_each_row_is_trained_once_under_the_recipe_s_system_prompt():
    assert told(with_variants([row("Hi?", "Yo.")], ARTICLE)) == [("S", "Hi?")]


def test_each_row_is_trained_under_each_system_prompt():
    recipe = ARTICLE.changed(row_systems=("", "(none)", "T"))

    assert told(with_variants([row("Hi?", "Yo."), row("Ho?", "Ya.")], recipe)) == [
        (system, prompt) for system in ("S", None, "", "T") for prompt in ("Hi?", "Ho?")
    ]


def test_a_row_s_own_system_prompt_stays_and_it_counts_as_much_as_others():
    recipe = ARTICLE.changed(row_systems=("", "T"))

    assert told(with_variants([row("Hi?", "Yo.", system="Mine")], recipe)) == [("Mine", "Hi?")] * 3


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

    assert told(without_variants([row("Hi?", "Yo."), row("Ho?", "Ya.", system="Mine")], recipe)) == [
        ("S", "Hi?"),
        ("Mine", "Ho?"),
    ]
