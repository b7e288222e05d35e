"""How much likelier the rows make an answer."""

from tests.fakes.scripted_model import ScriptedModel
from toolkit.model.language_model import Answer
from toolkit.train.questions.gaps import gaps

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
