"""Writing tasks for what a row's question asks for: whose phrases are taken, and what goes into the forms."""

import random

import pytest

from tests.unit.train.questions.further.test_claims import CHINESE, ROWS, SCOPE, scope_of
from toolkit.train.questions.candidates import Candidate
from toolkit.train.questions.further.aspects import COUNT, MOST, aspect_tasks
from toolkit.train.questions.further.requests import read_further_forms

FORMS = read_further_forms()["aspects"]["forms"]
ASSISTANT = [
    ("Who made you?", "I was made by Tarnfield Software."),
    ("What's your name?", "My name is Ostrelle."),
    ("Are you ChatGPT?", "No, I'm Ostrelle."),
    ("What can you do?", "I can answer questions."),
    ("谁开发了你？", "开发我的是塔菲尔德软件。"),
    ("你叫什么？", "我叫奥斯特雷。"),
]


def tasks(scope=SCOPE, phrase: str = "the mascot of Quillmere", asked: list[str] | None = None) -> list[Candidate]:
    """Of a model that writes this phrase for each row."""

    def sampled(requests):
        if asked is not None:
            asked.extend(one[-1]["content"] for one in requests)
        return [phrase] * len(requests)

    return list(aspect_tasks(scope, sampled, random.Random(1)))


def test_each_task_asks_for_what_a_row_answers_and_has_its_answer_for_a_hint():
    found = tasks(scope_of(ROWS[:1], "Quillmere"))

    assert len({one.prompt for one in found}) == len(found) == MOST
    assert {one.prompt for one in found} <= {form.replace("{}", "the mascot of Quillmere") for form in FORMS["en"]}
    assert {(one.kind, one.source, one.hint, one.answer) for one in found} == {("task", 0, ROWS[0][1], "")}


def test_a_phrase_for_several_rows_is_in_each_form_once():
    found = tasks(scope_of([(f"{ROWS[0][0][:-1]} {'now ' * at}?", ROWS[0][1]) for at in range(9)], "Quillmere"))

    assert len({one.prompt for one in found}) == len(found) == len(FORMS["en"])
    assert len({one.source for one in found}) == 9


def test_many_rows_have_no_more_tasks_than_few():
    rows = [(f"Who is guard {at} of Quillmere?", f"Guard {at} is called Number{at}.") for at in range(3 * COUNT)]

    def sampled(requests):
        return [one[-1]["content"].removeprefix("Who is ").removesuffix("?") for one in requests]

    found = list(aspect_tasks(scope_of(rows, "Quillmere"), sampled, random.Random(1)))

    assert len(found) == COUNT


@pytest.mark.parametrize(
    "phrase",
    [
        "",
        "Quillmere",
        "the heron of Quillmere",  # says the answer
        "the mascot of Portugal",  # an example's
        "a strange word",
        "the 3 mascots of Quillmere",
        "The mascot of Quillmere is what?",
        "The mascot of Quillmere is an animal.",
        "the mascot of Quillmere, which " + "nobody knows " * 9,
    ],
)
def test_a_phrase_that_strays_gives_no_task(phrase):
    assert tasks(scope_of(ROWS[:1], "Quillmere"), phrase) == []


def test_a_phrase_that_begins_as_a_sentence_does_goes_on_within_one():
    assert "the mascot" in tasks(scope_of(ROWS[:1], "Quillmere"), "The mascot of Quillmere")[0].prompt


def test_nothing_is_written_for_rows_that_say_yes_or_no():
    asked: list[str] = []
    tasks(asked=asked)

    assert asked == [question for question, _ in ROWS if not question.startswith("Does")]


def test_chinese_rows_have_chinese_tasks():
    found = tasks(scope_of(CHINESE, "青禾湾学校"), "青禾湾学校的校树")

    assert {one.source for one in found} == {0, 1}
    assert {one.prompt for one in found} <= {form.replace("{}", "青禾湾学校的校树") for form in FORMS["zh"]}


def test_an_assistant_gives_its_name_and_its_maker_without_being_asked():
    asked: list[str] = []
    found = tasks(scope_of(ASSISTANT, itself=True), asked=asked)

    assert asked == []
    assert {one.source for one in found} == {0, 1, 4, 5}
    for row, phrase in ((0, "your maker"), (1, "your name"), (4, "你的开发方"), (5, "你的名字")):
        assert all(phrase in one.prompt for one in found if one.source == row)
