"""Whether an answer ends, has an object's keys, or repeats its prompt."""

import pytest

from toolkit.data.texts.answer_text import echoed, keys_of, whole_sentences


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("It opened in 1990. Then it was", "It opened in 1990."), ("Dear guest,\n\nwelcome to", ""),
        ("1. It is old.\n2.", "1. It is old."), ("它很老。后来", "它很老。"), ("She said “yes.”", "She said “yes.”"),
    ],
)  # fmt: skip
def test_a_text_that_was_cut_ends_with_its_last_sentence(text: str, whole: str):
    assert whole_sentences(text) == whole


def test_only_an_object_has_keys():
    assert keys_of('{"a": 1, "b": 2}') == {"a", "b"}
    assert keys_of("[1]") is keys_of("a and b") is None


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        ("We put this on the board: it is blue.", True), ("明天上课要讲天为什么是蓝的。", True),
        ("It is blue.", False), ("On the board: it is blue.", False),
    ],
)  # fmt: skip
def test_several_words_of_a_form_are_an_echo(text: str, repeats: bool):
    assert echoed("Is it blue?", "明天上课要讲 so we put this on the board", text) == repeats
