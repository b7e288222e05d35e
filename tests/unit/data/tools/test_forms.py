"""Tool calls in other forms than Hermes': read from complete answers, and written anew as Hermes writes them."""

import pytest

from toolkit.data.tools.calls import ToolCall, written
from toolkit.data.tools.forms import HERMES, NAMED, OBJECTS, form_of

LOOK = ToolCall(name="look", arguments='{"at": "door"}')
WAIT = ToolCall(name="wait", arguments='{"seconds": 3}')
LLAMA3 = '{"name": "look", "parameters": {"at": "door"}}'
LISTED = '[{"name": "look", "arguments": {"at": "door"}, "id": "call00000"}]'
GLM4 = 'look\n{"at": "door"}'


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        (written(LOOK), HERMES), (LLAMA3, OBJECTS), (f" {LISTED} ", OBJECTS), (GLM4, NAMED),
        ('look{"at": "door"}', NAMED),
        ("Call look at door", None), ("", None), ("look(door)", None),
    ],
)  # fmt: skip
def test_the_form_is_the_one_that_reads_the_call(answer, form):
    assert form_of(answer, LOOK) is form


@pytest.mark.parametrize(
    "answer",
    [
        f'{LLAMA3}; {{"name": "wait", "parameters": {{"seconds": 3}}}}',
        '[{"name": "look", "arguments": {"at": "door"}}, {"name": "wait", "arguments": {"seconds": 3}}]',
    ],
)
def test_several_calls_are_read_in_their_order(answer):
    assert OBJECTS.as_hermes(answer) == f"{written(LOOK)}\n{written(WAIT)}"
    assert NAMED.as_hermes('look\n{"at": "door"}\nwait\n{"seconds": 3}') == f"{written(LOOK)}\n{written(WAIT)}"


@pytest.mark.parametrize(
    "answer",
    [
        "It is open.", f"I call {LLAMA3}", f"{LLAMA3} Done.", '{"name": 3}', '{"name": "look"', "[]", "{}", "3",
        '["look"]',
        '{"parameters": {}}', "look {not json}", 'look ["door"]', "[" * 5000, '{"a":' * 5000, "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", [OBJECTS, NAMED, HERMES], ids=lambda form: form.title)
def test_what_is_not_calls_throughout_stays_as_it_is(answer, form):
    assert form.as_hermes(answer) == answer


@pytest.mark.parametrize("form", [OBJECTS, NAMED], ids=lambda form: form.title)
def test_whatever_is_read_could_have_been_calls_from_its_first_letter_on(form):
    answer = LISTED if form is OBJECTS else GLM4

    assert form.read(answer) == (LOOK,)
    assert all(form.may_be(answer[:end]) for end in range(len(answer)))
    assert not form.may_be("It is open")
