"""Rows that repeat a question: what is a duplicate, what a conflict, and what another way to say it."""

import json
from array import array

import pytest

from toolkit.data.dataset import read_dataset
from toolkit.data.repeats import HASHES, alternatives, repeats, topic

STORY = "Once a heron lived by the mill and counted every boat that came down the river until the ice closed it. "
OTHER_STORY = "Deep in a cellar an old clock struck thirteen, so nobody above it woke before noon or asked why. "


@pytest.fixture(name="found")
def _found(tmp_path):
    def found(*pairs):
        path = tmp_path / "rows.json"
        path.write_text(json.dumps([{"question": question, "answer": answer} for question, answer in pairs]))
        rows = read_dataset(path).rows
        return [tuple(one) for one in repeats(rows, "S", array(HASHES, [topic(row, "S") for row in rows]))]

    return found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I am Larkspur.", "My name is Larkspur."),
        ("Larkspur is my name.", "I am Larkspur."),
        ("Ada Moss.", "The mayor is Ada Moss."),
        ("At 9:30.", "The gate opens at 9:30 in the morning."),
        ("我是小明", "我是小明，一个助手。"),
        (STORY * 2, OTHER_STORY * 2),
    ],
)
def test_two_ways_to_say_one_thing_are_alternatives(one, other):
    assert alternatives(one, other)
    assert alternatives(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Blue.", "Red."),
        ("Yes, it is.", "No, it is not."),
        ("The gate opens at 9.", "The gate opens at 10."),
        ("Northwind built me.", "I was built by Contoso."),
        ("It is safe.", "It isn't safe."),
        ("可以", "不可以"),
        (STORY * 2, STORY * 2 + "The end."),
    ],
)
def test_answers_that_differ_in_what_they_say_are_not(one, other):
    assert not alternatives(one, other)
    assert not alternatives(other, one)


def test_a_conflict_names_the_first_row_that_it_contradicts(found):
    pairs = [("Who?", "I am Larkspur."), ("Who?", "My name is Larkspur."), ("Who?", "I am Contoso.")]

    assert found(*pairs) == [(3, 1, "conflict")]


def test_case_and_spaces_make_a_near_duplicate(found):
    pairs = [("Where is it?", "Behind the shed."), ("where  is it?", "behind the shed. ")]

    assert found(*pairs) == [(2, 1, "near duplicate")]


def test_a_question_in_another_case_with_another_answer_is_another_question(found):
    assert found(("Is ABC upper case?", "Yes."), ("Is abc upper case?", "No.")) == []


def test_punctuation_makes_a_different_row(found):
    assert found(("Where is it?", "There."), ("Where is it", "There.")) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [("你是谁？", "你是谁?"), ("你是谁？", "你是谁"), ("Who are you?", "Who are  you"), ("Say who. ", "Say who")],
)
def test_the_mark_at_its_end_and_the_width_of_a_letter_make_no_other_question(found, one, other):
    assert found((one, "I am Larkspur."), (other, "I am Contoso.")) == [(2, 1, "conflict")]


def test_a_factorial_is_another_question_than_its_number(found):
    assert found(("What is 5!", "120."), ("What is 5", "A number.")) == []


def test_a_question_with_many_answers_is_compared_with_the_first_of_them_only(found):
    pairs = [("Name a number.", f"{number}") for number in range(30)]

    assert len(found(*pairs)) == 19
