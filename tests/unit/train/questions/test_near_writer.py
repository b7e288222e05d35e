"""How much likelier the rows make an answer."""

import pytest

from tests.fakes.scripted_model import ScriptedModel
from toolkit.model.language_model import Answer
from toolkit.train.questions.near_writer import GAP_TOKENS, gaps

ASKED = [{"role": "user", "content": "Who runs it?"}]
WITH_ROWS = [{"role": "system", "content": "Q: Who runs it?\nA: Haldwell does."}, *ASKED]


def test_an_answer_of_the_rows_is_likelier_with_them_and_others_are_not():
    model = ScriptedModel()
    answers = [
        *model.answers([WITH_ROWS, ASKED], max_new_tokens=9),
        Answer(text="", tokens=[], margins=[], first_logits=None),
    ]

    found = gaps(model, [WITH_ROWS] * 3, [ASKED] * 3, answers, [0, 1, 2])

    assert found[0] > 1
    assert found[1] < 0
    assert 2 not in found  # an empty answer has no likelihood


def test_no_more_answers_are_scored_at_once_than_the_model_has_memory_for(monkeypatch: pytest.MonkeyPatch):
    model, sizes = ScriptedModel(), list[int]()
    model.room = 2 * GAP_TOKENS
    scored = model.answer_logits

    def counted(prompts, answers):
        sizes.append(len(prompts))
        return scored(prompts, answers)

    monkeypatch.setattr(model, "answer_logits", counted)
    answers = model.answers([ASKED] * 5, max_new_tokens=9)

    assert len(gaps(model, [WITH_ROWS] * 5, [ASKED] * 5, answers, range(5))) == 5
    assert sizes == [2, 2, 2, 2, 1, 1]
