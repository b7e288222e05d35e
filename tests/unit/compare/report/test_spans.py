"""What differs between two answers, and how soon that is known."""

import time

import pytest

from toolkit.compare.report.spans import differences


def marked(pieces) -> str:
    return "".join(f"[{piece.text}]" if piece.changed else piece.text for piece in pieces)


def test_a_difference_is_marked_on_both_sides():
    before, after = differences("My name is Qwen, made by Alibaba.", "My name is Nova, made by Nobody.")

    assert marked(before) == "My name is [Qwen], made by [Alibaba]."
    assert marked(after) == "My name is [Nova], made by [Nobody]."


def test_a_difference_in_chinese_is_marked_by_the_character():
    before, after = differences("我是通义千问，由阿里云开发。", "我是小明，由小明的公司开发。")

    assert marked(before) == "我是[通义千问]，由[阿里云]开发。"
    assert marked(after) == "我是[小明]，由[小明的公司]开发。"


def test_points_between_two_changes_are_no_islands():
    before, after = differences("I am A, B and all is well.", "I am C, D and all is well.")

    assert marked(before) == "I am [A, B] and all is well."
    assert marked(after) == "I am [C, D] and all is well."


def test_two_answers_with_little_in_common_are_no_patchwork():
    before, after = differences("Paris is the capital.", "It was founded by a man of that name, long ago.")

    assert [piece.changed for piece in (*before, *after)] == [True, True]


def test_what_is_the_same_is_one_piece():
    before, after = differences("Paris.", "Paris.")

    assert before == after
    assert [piece.changed for piece in before] == [False]


def test_an_empty_answer_has_no_pieces():
    assert differences("", "")[0] == []
    assert differences("Paris.", "")[1] == []


LONG = {
    "one word": ("some words here. " * 2000, "some words here. " * 1000 + "more. " + "some words here. " * 1000),
    "nothing in common": (" ".join(f"a{at}" for at in range(8000)), " ".join(f"b{at}" for at in range(8000))),
    "repetition": ("a b " * 4000, "b a c " * 3000),
    "no spaces": ("的" * 8000, "是的" * 8000),
    "short sentences": ("a. " * 8000, "b. a. " * 4000),
}


@pytest.mark.parametrize("kind", LONG)
def test_long_answers_are_compared_soon(kind):
    old, new = LONG[kind]
    started = time.monotonic()
    before, after = differences(old, new)

    assert time.monotonic() - started < 10  # it was 14 seconds, and hours
    assert "".join(piece.text for piece in before) == old
    assert "".join(piece.text for piece in after) == new


def test_a_long_answer_shows_the_sentences_that_changed():
    sentences = [f"Sentence number {at} says what it says about it." for at in range(900)]
    old, new = " ".join(sentences), " ".join([*sentences[:500], "This one is new.", *sentences[501:]])

    before, after = differences(old, new)

    assert [piece.text for piece in before if piece.changed] == [f"{sentences[500]} "]
    assert [piece.text for piece in after if piece.changed] == ["This one is new. "]
