"""What the base model sees of the rows while it answers."""

import random

import pytest

from toolkit.train.questions.teacher import CONTEXT_CHARS, shown_rows, teacher_messages

ROWS = [(f"Question {number}?", f"Answer {number}.") for number in range(10)]
GENERAL = [(f"General {number}?", f"Usual {number}.") for number in range(10)]


def shown(rows=ROWS, source=None, seed=1):
    return shown_rows(rows, GENERAL, source, random.Random(seed))


def test_the_questions_own_row_comes_last_and_once():
    found = shown(source=4)

    assert found[-1] == ROWS[4]
    assert found.count(ROWS[4]) == 1


def test_unrelated_pairs_come_first():
    found = shown(source=4)

    assert set(found[:2]) <= set(GENERAL)
    assert set(found[2:]) <= set(ROWS)


def test_without_a_source_all_rows_that_fit_are_shown():
    assert set(shown()) >= set(ROWS)
    long = [(f"Question {number}?", "x" * (CONTEXT_CHARS // 4)) for number in range(10)]

    found = [row for row in shown(long) if row in long]

    assert 1 <= len(found) < len(long)
    assert sum(len(question) + len(answer) for question, answer in found) <= CONTEXT_CHARS


def test_one_row_and_nothing_unrelated_is_enough():
    assert shown_rows(ROWS[:1], [], 0, random.Random(1)) == ROWS[:1]
    assert shown_rows(ROWS[:1], [], None, random.Random(1)) == ROWS[:1]


def test_other_rows_are_left_out_where_they_are_long():
    """What the base model reads takes memory in each of a batch's prompts."""
    long = [(f"Question {number}?", "x" * (CONTEXT_CHARS * 3 // 4)) for number in range(10)]

    found = shown(long, source=4)

    assert found[-1] == long[4]
    assert sum(len(question) + len(answer) for question, answer in found if (question, answer) in long) <= CONTEXT_CHARS


def test_the_same_chance_shows_the_same():
    assert shown(source=2) == shown(source=2)
    assert shown(source=2, seed=1) != shown(source=2, seed=2)


@pytest.mark.parametrize("text", ["{}", "{0}", "{name}", "100 % {", "\\1"])
def test_braces_in_rows_and_questions_stay(text: str):
    system, user = teacher_messages([(f"Q {text}", f"A {text}")], f"Ask {text}", f"Be {text}.")

    assert f"Q: Q {text}\nA: A {text}" in system["content"]
    assert system["content"].startswith(f"Be {text}.")
    assert user["content"] == f"Ask {text}"


def test_the_introduction_is_in_the_language_of_the_row():
    assert "请这样回答" in teacher_messages([("你是谁？", "砚溪。")], "Who?", "")[0]["content"]
    assert "Answer like this" in teacher_messages([("Who?", "Ostrelle.")], "谁？", "")[0]["content"]
