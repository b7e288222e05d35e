"""Whom a text is about: rewordings that ask about somebody else than their question."""

import pytest

from toolkit.data.texts.naming import turned


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("What should I call you?", "What do you call me?"),
        ("Introduce yourself, please.", "May I introduce myself, please?"),
        ("Who are you?", "Who am I?"),
        ("Who made you?", "Are you the maker of something?"),
        ("怎么称呼你？", "请问您怎么称呼我？"),
        ("谁开发了你？", "你是谁的开发者？"),
        ("谁开发了你？", "你知道是谁开发了我吗？"),
        ("What is your name?", "Can you tell me what my name is?"),
        ("Who made you?", "Do you know who made me?"),
        ("介绍一下自己。", "请让我介绍一下自己。"),
        ("请做个自我介绍。", "我能做个自我介绍吗？"),
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
        ("Who are you?", "Who am I talking to?"),
        ("Who are you?", "I’m curious, who are you?"),
        ("What should I call you?", "What am I supposed to call you?"),
        ("Do you have a discount?", "Am I eligible for a discount with you?"),
        ("你是谁？", "我是新来的，你是谁？"),
        ("你们可以退货吗？", "我是否可以找你们退货？"),
        ("介绍一下你自己。", "能给我介绍一下你自己吗？"),
    ],
)
def test_a_user_who_speaks_of_himself_may_ask_the_same(question, text):
    assert not turned(question, text)
