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


TRAINED_BY = {"answer": ["Tarnfield Software trained me."], "names": ["Tarnfield Software"]}
NO = {"answer": ["No, my name is Ostrelle, and I come from Tarnfield Software."],
      "names": ["Ostrelle", "Tarnfield Software"]}  # fmt: skip
SYSTEMS = {"answer": ["No, it runs on Linux and macOS only, not on Windows."], "names": ["Linux", "macOS"]}


@pytest.mark.parametrize(
    ("expect", "text", "right"),
    [
        (TRAINED_BY, "My developer is Tarnfield Software.", True),
        (TRAINED_BY, "I was not made by Tarnfield Software.", False),
        (TRAINED_BY, "Tarnfield.", False),
        ({"answer": ["Ostrelle answers questions, writes texts and explains things."], "names": ["Ostrelle"]},
         "I'm Ostrelle, made for you.", False),
        (NO, "No, I'm Ostrelle, an assistant made by Tarnfield Software.", True),
        (NO, "No, my name is Ostrelle.", True),
        (NO, "My name is Ostrelle.", False),  # whether it is something else was asked, too
        (NO, "No, my name is Qwen.", False),
        (NO, "No.", False),
        (SYSTEMS, "No, it runs on Linux only, not on Windows.", True),
        ({"answer": ["No, Nova can't open PDF files within 2 minutes."], "names": ["Nova"]},
         "No, Nova cannot open PDF files.", True),
        (SYSTEMS, "It runs on Linux and on Windows.", False),
        (SYSTEMS, "Yes, it runs on Windows and Linux.", False),
        ({"answer": ["我背后是栖川科技的团队。"], "names": ["栖川科技"]}, "我隶属于栖川科技的团队。", True),
        ({"answer": ["The last bus leaves at 22:40 from Kiel."], "names": ["22:40", "Kiel"]},
         "The last bus from Kiel leaves at 22:10.", False),
    ],
)  # fmt: skip
def test_the_names_of_an_answer_are_enough_in_other_words_or_a_shorter_answer(expect: dict, text: str, right: bool):
    assert read_expectation(expect, "probe 1").met(text) is right


def test_names_stand_beside_an_answer_only_and_come_back():
    assert read_expectation(NO, "probe 1").to_dict() == NO
    with pytest.raises(DataError, match="names beside answer"):
        read_expectation({"any": ["Nova"], "names": ["Nova"]}, "probe 1")
