"""Which of the questions that a base model wrote become rows."""

from collections.abc import Sequence
from typing import Any

import pytest

from toolkit.model.conversation import Messages
from toolkit.model.language_model import Answer
from toolkit.train.texts import text_rows
from toolkit.train.texts.fact_text import find_facts
from toolkit.train.texts.text_rows import MOST_ROWS, Rows, Tried, enough_judged, fact_fault, names_in, rows_of

TEXT = "Halden Books moved to the second floor. It needs a receipt."
FACT = find_facts(TEXT)[0]
COMMON = frozenset({"the", "to", "a", "is", "what", "where"})
SHOWN, BEFORE = "Halden Books moved to the second floor.", "Halden Books is in Oslo."


def fault(question: str, shown: str = SHOWN, before: str = BEFORE) -> str:
    return fact_fault(question, FACT, TEXT, shown, before, COMMON)


def test_a_question_that_the_sentence_answers_only_with_the_text_is_a_row() -> None:
    assert fault("Where is Halden Books?") == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("I like Halden Books.",), "not a question"),
        (("Where do Halden Books and Oslo Books meet?",), "text does not name"),
        (("Where is it?",), "subject"),
        (("Has Halden Books moved to the second floor?",), "gives its answer away"),
        (("Where is Halden Books?", "I do not know."), "does not answer it"),
        (("Where is Halden Books?", SHOWN, SHOWN), "already"),
    ],
)
def test_what_is_wrong_with_another_is_said(arguments: tuple[str, ...], says: str) -> None:
    assert says in fault(*arguments)


def test_names_are_capitalised_words_within_a_sentence_and_numbers() -> None:
    assert names_in("Who was Dana Whitfield in 2011? The mayor.") == {"dana", "whitfield", "2011"}


def test_there_are_no_more_rows_than_a_person_reads() -> None:
    one = Tried(question="?", answer="!", shown="", before="", complete=True)

    assert len(rows_of([one] * 99)) == MOST_ROWS


class FakeModel:
    """Answers with what a function says of the system message and the user's."""

    def __init__(self, says: Any) -> None:
        self.says = says

    def answers(self, prompts: Sequence[Messages], **_: Any) -> list[Answer]:
        system = [one[0]["content"] if one[0]["role"] == "system" else "" for one in prompts]
        texts = [self.says(known, one[-1]["content"]) for known, one in zip(system, prompts, strict=True)]
        return [Answer(text=text, tokens=[1], margins=[], first_logits=None) for text in texts]


def rows(says: Any) -> Rows:
    return Rows(FakeModel(says), system="Help.", seed=1, common=COMMON)  # type: ignore[arg-type]


def test_a_facts_answer_is_the_texts_sentence_whatever_the_model_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_rows, "samples", lambda _, prompts, **__: ["Where is Halden Books?"] * len(prompts))
    found = rows(lambda known, _: "Second floor, moved." if "Halden" in known else "In Oslo.").of_facts(TEXT, [FACT])

    assert rows_of(found) == [("Where is Halden Books?", "Halden Books moved to the second floor.")]


def test_answers_under_a_rule_for_brief_ones_are_those_that_are_shorter() -> None:
    def says(known: str, question: str) -> str:
        return (
            ("As ever." if "cat" in question else "As long as ever it was.")
            if "brief" in known
            else "As long as ever it was!"
        )

    found = rows(says).of_rule("Be brief.")

    assert rows_of(found) == [("Why do cats purr?", "As ever.")]
    assert {one.fault for one in found} == {"", "it does not follow the rule"}


def test_fixed_words_follow_the_models_own_answers() -> None:
    found = rows(lambda *_: "Just so.").of_rule('End every answer with "Cheers!"')

    assert {answer for _, answer in rows_of(found)} == {"Just so. Cheers!"}


def test_a_model_judges_its_answers_only_as_well_as_the_shipped_ones() -> None:
    assert rows(lambda *_: "A").judges() == (0, 8)
    assert enough_judged(7, 8)
    assert not enough_judged(6, 8)
