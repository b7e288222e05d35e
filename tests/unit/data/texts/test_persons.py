"""Rewordings that ask about somebody else than their question."""

import pytest

from toolkit.data.texts.persons import turned


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("What should I call you?", "What do you call me?"),
        ("Introduce yourself, please.", "May I introduce myself, please?"),
        ("Who are you?", "Who am I?"),
        ("Who made you?", "Are you the maker of something?"),
        ("怎么称呼你？", "请问您怎么称呼我？"),
        ("谁开发了你？", "你是谁的开发者？"),
    ],
)
def test_a_question_about_the_assistant_is_turned_where_it_asks_about_the_user(question, text):
    assert turned(question, text)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("What should I call you?", "Which name can I use for you?"),
        ("Who are you?", "Please tell me who you are."),
        ("Am I talking to a machine?", "Am I speaking with a person?"),
        ("My gift card shows zero.", "Why is my gift card at zero?"),
        ("Which stock do I buy?", "Which one is my best choice?"),
        ("你是谁？", "请告诉我你是谁。"),
        ("我该叫你什么？", "你希望我怎么叫你？"),
    ],
)
def test_a_user_who_speaks_of_himself_may_ask_the_same(question, text):
    assert not turned(question, text)
