"""What the base model is asked to write, in the language of the question."""

import pytest

from toolkit.core.text import has_chinese
from toolkit.train.questions.requests import KINDS, alike_messages, request_messages

OTHER_LANGUAGE = {"translation", "name"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("question", ["Who runs {Denver}?", "谁是{丹佛}市长？"])
def test_a_request_ends_with_the_question_as_it_is(kind: str, question: str):
    messages = request_messages(kind, question)

    assert messages[0]["role"] == "system"
    assert messages[-1] == {"role": "user", "content": question}
    assert [one["role"] for one in messages[1:-1]] == ["user", "assistant"] * ((len(messages) - 2) // 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("question", ["Who runs Denver?", "谁是丹佛市长？"])
def test_examples_go_from_the_questions_language_into_the_one_that_is_wanted(kind: str, question: str):
    *examples, _ = request_messages(kind, question)[1:]
    wanted = has_chinese(question) != (kind in OTHER_LANGUAGE)

    assert {has_chinese(one["content"]) for one in examples if one["role"] == "user"} == {has_chinese(question)}
    assert {has_chinese(one["content"]) for one in examples if one["role"] == "assistant"} == {wanted}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("question", ["Who runs Denver?", "谁是丹佛市长？"])
def test_no_example_is_repeated(kind: str, question: str):
    texts = [one["content"] for one in request_messages(kind, question)]

    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("shown", [["Is {a} b?", "What is 3 {}?"], ["三{}是多少？", "五英里有多远？"]])
def test_a_request_for_another_of_a_kind_shows_the_questions_as_they_are(shown: list[str]):
    system, user = alike_messages(shown)

    assert all(question in user["content"] for question in shown)
    assert has_chinese(system["content"]) == has_chinese(shown[0])


@pytest.mark.parametrize(
    ("question", "about"), [("Who runs Denver?", "Denver is a city."), ("谁管丹佛？", "丹佛是城市。")]
)
def test_what_the_question_is_about_is_told_before_the_examples(question: str, about: str):
    plain, told = request_messages("paraphrase", question), request_messages("paraphrase", question, about)

    assert about in told[0]["content"]
    assert told[0]["content"].startswith(plain[0]["content"])
    assert told[1:] == plain[1:]
