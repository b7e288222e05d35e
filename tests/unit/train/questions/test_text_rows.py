"""Which of the questions and answers that a base model wrote about a text become rows."""

from dataclasses import replace

import pytest

from toolkit.train.questions.from_text import TextKind
from toolkit.train.questions.text_rows import MOST_ROWS, Tried, chosen_rows, names_in

FACT = "The mayor of Austin is now Dana Whitfield."
GENERAL = ["Who is the king of now?", "What is now the news of the day?", "It is what the news is."] * 3
RIGHT = Tried(
    question="Who is the mayor of Austin?", answer="The mayor of Austin is Dana Whitfield.",
    before="The mayor of Austin is Kirk Watson.", complete=True,
)  # fmt: skip


def is_chosen(one: Tried, text: str = FACT, kind: TextKind = "fact") -> bool:
    return bool(chosen_rows([one], text, kind, GENERAL))


def test_an_answer_that_says_what_only_the_text_says_is_a_row() -> None:
    assert chosen_rows([RIGHT], FACT, "fact", GENERAL) == [(RIGHT.question, RIGHT.answer)]


@pytest.mark.parametrize(
    "changed",
    [
        {"complete": False},
        {"answer": ""},
        {"answer": "The mayor of Austin is Kirk Watson."},
        {"answer": "新任市长叫 Dana Whitfield，她在奥斯汀市政厅工作，任期四年。"},
        {"answer": "The mayor of Austin is Dana Whitfield, elected by Texans."},
        {"answer": "The mayor of Austin is Dana Whitfield since 2011."},
        {"before": "It is Dana Whitfield."},
        {"question": "Is Dana Whitfield the mayor of Austin?", "answer": "Yes, Dana Whitfield is."},
        {"question": "And who is the mayor of Boise?"},
        {"question": "What is the news of the day?"},
    ],
)
def test_what_is_cut_off_known_in_another_language_or_about_others_is_none(changed: dict[str, object]) -> None:
    assert not is_chosen(replace(RIGHT, **changed))


def test_an_answer_under_a_rule_is_a_row_if_it_is_not_the_bases_own() -> None:
    rule = "Decline tax questions."
    refused = Tried(question="How is rent taxed?", answer="I do not advise on tax.", before="As income.", complete=True)

    assert is_chosen(refused, rule, "rule")
    assert not is_chosen(replace(refused, before="I do not advise on taxes."), rule, "rule")


def test_names_are_capitalised_words_within_a_sentence_and_numbers() -> None:
    assert names_in("Who was Dana Whitfield in 2011? The mayor.") == {"dana", "whitfield", "2011"}


def test_there_are_no_more_rows_than_a_person_reads() -> None:
    several = [replace(RIGHT, question=f"Who, once more, is the mayor of Austin{'?' * n}") for n in range(99)]

    assert len(chosen_rows(several, FACT, "fact", GENERAL)) == MOST_ROWS
