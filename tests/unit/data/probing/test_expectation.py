"""Expectations of calls: judged by name and arguments, as JSON values. The other kinds: test_probes.py."""

import pytest

from toolkit.core.errors import DataError
from toolkit.data.probing.expectation import Expectation, ExpectedCall, read_expectation
from toolkit.data.tools.calls import ToolCall, written

TABLE = {"name": "book_table", "arguments": {"people": 3, "at": "8 pm"}}


def answer(*calls: tuple[str, str], text: str = "") -> str:
    return "\n".join([text, *(written(ToolCall(name=name, arguments=arguments)) for name, arguments in calls)])


def read(call: object) -> Expectation:
    return read_expectation({"call": call}, "probe 1")


@pytest.mark.parametrize(
    ("reply", "met"),
    [
        (answer(("book_table", '{"at": "8 pm", "people": 3}')), True),
        (answer(("book_table", '{"at": "8 pm", "people": 3.0}'), text="One moment."), True),
        (answer(("book_table", '{"at": "8 pm", "people": "3"}')), False),
        (answer(("book_table", '{"people": 3}')), False),
        (answer(("book_table", '{"at": "8 pm", "people": 3, "note": "x"}')), False),
        (answer(("order", '{"at": "8 pm", "people": 3}')), False),
        (answer(("book_table", '{"at": "8 pm", "people": 3}'), ("order", "{}")), False),
        ("Your table is booked: book_table, 3 people, 8 pm.", False),
        ('<tool_call>\n{"name": "book_table", "arguments": {"people": 3, "at": "8 pm"}', False),
        ('<tool_call>\n{"name": "book_table", "arguments": {people: 3}}\n</tool_call>', False),
        (answer(("book_table", '{"at": "8 pm", "people": 3}')) + "<tool_call>", False),
        ("", False),
    ],
)
def test_a_call_needs_valid_json_the_right_name_and_the_right_arguments(reply: str, met: bool):
    assert read(TABLE).met(reply) is met


def test_without_arguments_the_name_decides():
    assert read({"name": "ring"}).met(answer(("ring", '{"times": 2}')))
    assert not read({"name": "ring"}).met(answer(("sing", "{}")))
    assert not read({"name": "ring", "arguments": {}}).met(answer(("ring", '{"times": 2}')))


def test_several_calls_are_all_expected_in_any_order():
    both = read([{"name": "ring", "arguments": {"times": 2}}, {"name": "ring"}])

    assert both.met(answer(("ring", '{"times": 2}'), ("ring", '{"times": 3}')))
    assert both.met(answer(("ring", '{"times": 3}'), ("ring", '{"times": 2}')))
    assert not both.met(answer(("ring", '{"times": 2}')))
    assert not both.met(answer(("ring", '{"times": 3}'), ("ring", '{"times": 4}')))


def test_an_empty_list_expects_no_call():
    assert read([]).met("Iron is heavier.")
    assert not read([]).met(answer(("ring", "{}")))
    assert not read([]).met("<tool_call> ring")


def test_texts_that_must_not_be_in_the_answer_are_looked_for_beside_the_call():
    expectation = read_expectation({"call": {"name": "ring"}, "none": "sorry"}, "probe 1")

    assert expectation.met(answer(("ring", "{}")))
    assert not expectation.met(answer(("ring", "{}"), text="Sorry!"))


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("ring", "call is not a mapping"),
        ({"arguments": {}}, "call takes a name"),
        ({"name": "ring", "args": {}}, "call takes a name"),
        ({"name": "ring", "arguments": [1]}, "the arguments of 'ring' are not a mapping"),
        ({"name": "ring", "arguments": {"day": __import__("datetime").date(2027, 1, 1)}}, "is not a value of JSON"),
    ],
)
def test_what_is_not_a_call_is_named(call: object, fault: str):
    with pytest.raises(DataError, match=fault):
        read(call)


def test_it_comes_back_from_what_it_says():
    for call in (TABLE, {"name": "ring"}, [], [TABLE, {"name": "ring"}]):
        expectation = read(call)
        assert read_expectation(expectation.to_dict(), "probe 1") == expectation
    assert read({"name": "ring"}).call == (ExpectedCall(name="ring"),)


def test_a_call_is_at_most_as_long_as_its_text():
    assert read(TABLE).call_bytes == len(answer(("book_table", '{"people": 3, "at": "8 pm"}')).strip())
    assert Expectation(any=("Nova",)).call_bytes == 0
