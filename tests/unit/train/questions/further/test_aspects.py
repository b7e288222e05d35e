"""Writing tasks for what a row's question asks for: whose phrases are taken, and what goes into the forms."""

import random
from dataclasses import replace

import pytest

from tests.unit.train.questions.further.test_claims import CHINESE, ROWS, SCOPE, scope_of
from toolkit.train.questions.candidates import Candidate
from toolkit.train.questions.further.aspects import COUNT, MOST, aspect_tasks
from toolkit.train.questions.further.requests import read_further_forms

FORMS = read_further_forms()["aspects"]["forms"]
ASSISTANT = [
    ("Who made you?", "I was made by Tarnfield Software."),
    ("What's your name?", "My name is Ostrelle."),
    ("Are you made by Google?", "No, Tarnfield Software made me."),
    ("What can you do?", "I can answer questions."),
    ("What languages were you trained on?", "I know English and Chinese."),
    ("谁开发了你？", "开发我的是Tarnfield Software。"),
    ("你叫什么？", "我叫Ostrelle。"),
    ("你能帮我叫车吗？", "我可以帮您打开打车页面。"),
    ("你的训练数据截止到什么时候？", "截止到去年。"),
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


@pytest.mark.parametrize("count", [25, 40, 71, 3 * COUNT])
def test_many_rows_have_no_more_tasks_than_few(count: int):
    rows = [(f"Who is guard {at} of Quillmere?", f"Guard {at} is called Number{at}.") for at in range(count)]

    def sampled(requests):
        return [one[-1]["content"].removeprefix("Who is ").removesuffix("?") for one in requests]

    found = list(aspect_tasks(scope_of(rows, "Quillmere"), sampled, random.Random(1)))

    assert len(found) == COUNT
    assert len({one.source for one in found}) == min(count, COUNT)


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
        "Which mascot Quillmere has",
        "Write the mascot of Quillmere",
        "Quillmere 的吉祥物",
        "the mascot of Quillmere, which " + "nobody knows " * 9,
    ],
)
def test_a_phrase_that_strays_gives_no_task(phrase):
    assert tasks(scope_of(ROWS[:1], "Quillmere"), phrase) == []


@pytest.mark.parametrize(
    "text", ["The mascot of Quillmere.", '"the mascot of Quillmere"', "the mascot of Quillmere\nof it"]
)
def test_a_phrase_goes_on_within_a_sentence(text: str):
    found = tasks(scope_of(ROWS[:1], "Quillmere"), text)

    assert {one.prompt for one in found} <= {form.replace("{}", "the mascot of Quillmere") for form in FORMS["en"]}
    assert len(found) == MOST


def test_nothing_is_written_for_rows_that_say_yes_or_no():
    asked: list[str] = []
    tasks(asked=asked)

    assert asked == [question for question, _ in ROWS if not question.startswith("Does")]


def test_chinese_rows_have_chinese_tasks_and_only_for_what_they_ask():
    found = tasks(scope_of(CHINESE, "青禾湾学校"), "青禾湾学校的校树")

    assert {one.source for one in found} == {0}
    assert {one.prompt for one in found} <= {form.replace("{}", "青禾湾学校的校树") for form in FORMS["zh"]}


def test_an_assistant_gives_its_name_and_its_maker_without_being_asked():
    asked: list[str] = []
    found = tasks(scope_of(ASSISTANT, itself=True), asked=asked)

    assert asked == []
    assert {one.source for one in found} == {0, 1, 5, 6}
    for row, phrase in ((0, "your maker"), (1, "your name"), (5, "你的开发者"), (6, "你的名字")):
        assert all(phrase in one.prompt for one in found if one.source == row)


def test_what_another_row_asks_for_gives_no_task():
    known = replace(SCOPE, common=frozenset({"the", "of"}))

    assert {one.source for one in tasks(known, "the first release of Quillmere")} == {1}
