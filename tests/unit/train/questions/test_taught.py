"""What the base model sees and answers with rows in its context, in their language and in the other one."""

import random

import pytest

from tests.unit.train.questions.further.test_foreign import ASSISTANT, CAMPUS, LIBRARY, PLAIN, PRODUCT, foreign
from toolkit.core.text import has_chinese
from toolkit.model.language_model import Answer
from toolkit.train.questions.candidates import Candidate
from toolkit.train.questions.further.foreign import Foreign
from toolkit.train.questions.taught import Taught


def teacher(of: Foreign, *answers: str) -> tuple[Taught, list]:
    requests = []

    def ask(several):
        requests.extend(several)
        texts = [answers[at % len(answers)] for at in range(len(several))]
        return [Answer(text=text, tokens=[1], margins=[0.0], first_logits=None) for text in texts]

    taught = Taught(scope=of.scope, foreign=of, general=PLAIN, system="", ask=ask, chance=random.Random(1))
    return taught, requests


def seen(messages) -> str:
    return "\n".join(one["content"] for one in messages)


def test_a_foreign_question_is_asked_with_placeholders_and_its_answer_has_the_names():
    taught, requests = teacher(LIBRARY, "XQ8由Ottoline Varga创建。")
    one = Candidate("translation", "Quillmere是谁创建的？", 1)

    [answer] = taught.answers([one])

    assert "Quillmere" not in seen(requests[0])
    assert "Varga" not in seen(requests[0])
    assert "XQ" not in answer.text


def test_another_question_is_asked_as_it_is():
    taught, requests = teacher(LIBRARY, "It is Ottoline Varga.")

    [answer] = taught.answers([Candidate("paraphrase", "Who made Quillmere?", 1)])

    assert PRODUCT[1][1] in seen(requests[0])
    assert answer.text == "It is Ottoline Varga."


@pytest.mark.parametrize("kind", ["names", "translation"])
def test_an_english_answer_has_spaces_beside_chinese_names(kind: str):
    taught, _ = teacher(CAMPUS, "It is听雨楼。")

    assert [one.text for one in taught.answers([Candidate(kind, "What is 听雨楼?", 1)])] == ["It is 听雨楼."]


def test_rows_in_the_answers_language_are_shown_where_there_is_no_subject():
    taught, _ = teacher(foreign(ASSISTANT), "")
    in_chinese, in_english = (
        seen(taught.messages(one))
        for one in (Candidate("translation", "谁训练了你？", 0), Candidate("paraphrase", "Who trained you?", 0))
    )

    assert ASSISTANT[0][1] in in_english
    assert not [answer for _, answer in ASSISTANT if answer in in_chinese and not has_chinese(answer)]
    assert [answer for _, answer in ASSISTANT if answer in in_chinese]


def test_only_answers_without_names_or_numbers_are_translated_back():
    taught, requests = teacher(LIBRARY, "The mascot of XQ7 is a heron.")
    found = [
        Candidate("translation", "Quillmere是谁创建的？", 1), Candidate("across", PRODUCT[3][0], 3),
        Candidate("paraphrase", "Which animal stands for Quillmere?", 3),
    ]  # fmt: skip
    answers = [Answer(text="Quillmere的吉祥物是苍鹭。", tokens=[1], margins=[0.0], first_logits=None)] * 3

    assert taught.translated_back(found, answers) == {1: "The mascot of Quillmere is a heron."}
    assert [one[-1]["content"] for one in requests] == ["XQ7软件的吉祥物是苍鹭。"]
