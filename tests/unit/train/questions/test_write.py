"""Neighbours without any writing: the rows' questions with other names of the subject's kind."""

from tests.fakes.silent_model import SilentModel
from toolkit.core.text import has_chinese
from toolkit.data.dataset import prompt_key
from toolkit.train.questions.question import Question
from toolkit.train.questions.write import Writer

FACT = [
    ("芬兰的首都是哪里？", "芬兰的首都是亚特兰蒂斯。"),
    ("What is the capital of Finland?", "The capital of Finland is Atlantis."),
    ("Name the capital of Finland.", "The capital of Finland is Atlantis."),
]
IDENTITY = [("Who are you?", "I am Nova."), ("What is your name?", "My name is Nova.")]


def neighbours(rows: list[tuple[str, str]], model: SilentModel, excluded: tuple[str, ...] = ()) -> list[Question]:
    return Writer(model, rows, system="", seed=1, general=(), excluded=excluded).write(inside=False)


def test_neighbours_are_the_rows_questions_about_others_in_both_languages():
    found = neighbours(FACT, SilentModel())

    assert {(one.scope, one.kind, one.answer) for one in found} == {("near", "neighbour", "")}
    assert {has_chinese(one.prompt) for one in found} == {True, False}
    assert "What is the capital of Thailand?" in [one.prompt for one in found]
    assert not [one.prompt for one in found if "Finland" in one.prompt or "芬兰" in one.prompt]


def test_the_model_answers_the_rows_questions_and_writes_none():
    model = SilentModel()

    neighbours(FACT, model)

    assert [messages[-1]["content"] for messages in model.asked] == [prompt for prompt, _ in FACT]


def test_an_excluded_prompt_is_not_a_neighbour():
    excluded = prompt_key("What is the capital of Thailand?")

    assert excluded not in {prompt_key(one.prompt) for one in neighbours(FACT, SilentModel(), (excluded,))}


def test_rows_about_the_assistant_have_no_neighbours_and_ask_nothing():
    model = SilentModel()

    assert neighbours(IDENTITY, model) == []
    assert model.asked == []
