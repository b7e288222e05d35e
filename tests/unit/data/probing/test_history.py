"""A probe's history: pairs of question and answer, where an answer may be left to the model."""

import pytest

from toolkit.core.errors import DataError
from toolkit.data.probing.history import history_lists, history_of, read_history


def test_an_answer_may_be_left_to_the_model():
    history = read_history([["Hello.", "Hi."], ["Who are you?"]], "probe 1")

    assert history == (("Hello.", "Hi."), ("Who are you?", None))
    assert history_of(history_lists(history)) == history


@pytest.mark.parametrize("value", ["Who?", [], [[]], ["Who?"], [["a", "b", "c"]], [["a", None]], [[" "]], {"a": "b"}])
def test_what_is_no_history_is_refused_with_its_place(value):
    with pytest.raises(DataError, match="probe 7: history"):
        read_history(value, "probe 7")
