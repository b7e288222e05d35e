"""One side answers: by text, by letter, by code."""

from functools import partial

import pytest
import torch

from tests.fakes.answering_model import AnsweringModel
from toolkit.compare.ability.asking import Outcome, ask, chosen_letters, letter_counts
from toolkit.compare.ability.checks import says
from toolkit.compare.ability.items import LETTERS, Choice, Program, Written
from toolkit.compare.ability.sandbox import sandbox_holds
from toolkit.model.language_model import Answer

YES = partial(says, word="yes")


def choice(answer: str, *, calibrated: bool = True, group: str = "k") -> Choice:
    return Choice(
        id=answer, group=group, language=None, prompt=f"{group} {answer}", answer=answer, calibrated=calibrated
    )


class LetterModel(AnsweringModel):
    """Likes the letter A by 5, and knows each question's answer by 2."""

    tokenizer = staticmethod(lambda letter, add_special_tokens: {"input_ids": [LETTERS.index(letter)]})

    def answers(self, prompts, **how):
        assert how["max_new_tokens"] == 1
        found = []
        for messages in prompts:
            logits = torch.zeros(9)
            logits[0] += 5
            logits[LETTERS.index(messages[-1]["content"][-1])] += 2
            found.append(Answer(text="", tokens=[0], margins=[0.0], first_logits=logits))
        return found


def test_a_liking_for_a_letter_decides_nothing_where_items_are_calibrated():
    items = [choice(letter) for letter in LETTERS * 2]

    found = ask(LetterModel(), items, "")

    assert [one.text for one in found] == list(LETTERS * 2)
    assert all(one.passed and one.incoherent is None for one in found)
    assert letter_counts(found) == dict.fromkeys(LETTERS, 2)


def test_without_calibration_the_likeliest_letter_counts():
    items = [choice(letter, calibrated=False) for letter in LETTERS]

    assert [one.text for one in ask(LetterModel(), items, "")] == ["A"] * 4
    assert chosen_letters([], []) == []


def test_each_group_is_calibrated_by_itself():
    """One group in which A is always right must not change what is chosen in another."""
    balanced = [choice(letter, group="balanced") for letter in LETTERS]
    skewed = [choice("A", group="skewed") for _ in range(8)]

    assert all(one.passed for one in ask(LetterModel(), [*skewed, *balanced], "")[8:])


def test_answers_are_judged_in_the_items_order():
    items = [
        Written(id="1", group="i", language="en", prompt="one", check=YES, max_new_tokens=8),
        Written(id="2", group="i", language="en", prompt="two", check=YES, max_new_tokens=4),
        Written(id="3", group="i", language="en", prompt="none", check=bool, max_new_tokens=8),
    ]  # fmt: skip
    model = AnsweringModel({"one": "Yes.", "two": "No."})

    found = ask(model, items, "")

    assert found == [
        Outcome(passed=True, text="Yes.", incoherent=False),
        Outcome(passed=False, text="No.", incoherent=False),
        Outcome(passed=False, text="", incoherent=True),
    ]
    assert model.prompts == ["two", "one", "none"]  # a batch a length


@pytest.mark.skipif(not sandbox_holds(), reason="no sandbox here")
def test_code_is_run():
    items = [
        Program(id=name, group="code", language=None, prompt=name, function="f", calls=[[2]], expected=[4])
        for name in ("right", "wrong")
    ]
    model = AnsweringModel({"right": "def f(n): return n * n", "wrong": "def f(n): return n"})

    assert [one.passed for one in ask(model, items, "")] == [True, False]
