"""Differences between two answers, in words, and how much an answer repeats itself."""

import pytest

from toolkit.compare.metrics import repetition
from toolkit.compare.report.html import differences
from toolkit.core.text import printable, said, words


def marked(pieces) -> str:
    return "".join(f"[{piece.text}]" if piece.changed else piece.text for piece in pieces)


@pytest.mark.parametrize("text", ["", "I am Nova, v2.", "我是 CSDN 的助手。\n\n好", "a\t b\u3000👩‍🔬 naïve_x"])
def test_the_words_joined_are_the_text(text):
    assert "".join(words(text)) == text


def test_latin_is_cut_into_words_and_chinese_into_characters():
    assert words("我是 Swift-Robot。") == ["我", "是", " ", "Swift", "-", "Robot", "。"]


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


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0),
        ("one two three", 0),
        ("one two three four five", 0),
        ("a b c d a b c d", 1 / 5),
        ("好好好好好好", 2 / 3),
    ],
)
def test_repetition_is_the_share_of_four_word_stretches_seen_before(text, share):
    assert repetition(text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("wanted", "answer", "but", "share"),
    [
        ("a b c d", "d c", "", 1 / 2),
        ("a b c d", "A, B; c d!", "", 1),
        ("a a b", "a b", "", 2 / 3),  # each word as often as it stands there
        ("a b c d", "c", "a b", 1 / 2),
        ("a b", "", "a b", 1),  # nothing is left to say
        ("，。", "", "", 1),
        ("里昂是首都", "首都是里昂", "", 1),
    ],
)
def test_how_much_of_a_text_is_said(wanted, answer, but, share):
    assert said(wanted, answer, but=but) == pytest.approx(share)


def test_what_a_screen_would_act_on_is_shown_as_a_sign():
    assert printable("a\x1b[31m\x00\u202eb\u2066 \ud800") == "a�[31m��b� �"
    assert printable("line\n\tnext 👩\u200d🔬\u3000好") == "line\n\tnext 👩\u200d🔬\u3000好"
