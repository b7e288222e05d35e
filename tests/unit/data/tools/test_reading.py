"""Lists of tools and calls as data sets and clients write them."""

import json
import re
from datetime import date
from decimal import Decimal

import pytest

from tests.fakes.tool_rows import ARGUMENTS, CALL, FUNCTION, TOOL
from toolkit.data.records import RowFault
from toolkit.data.tools.reading import in_order_of_calls, read_calls, read_tools, tool_names


@pytest.mark.parametrize(
    "value", [[TOOL], [FUNCTION], TOOL, FUNCTION, json.dumps([FUNCTION]), json.dumps(TOOL), [json.dumps(FUNCTION)]]
)
def test_tools_are_a_list_in_openais_form(value: object):
    assert json.loads(read_tools(value, "'tools'")) == [TOOL]


def test_letters_stay_as_they_are_and_an_empty_list_says_nothing():
    assert "订座" in read_tools([FUNCTION], "'tools'")
    assert read_tools([], "'tools'") == ""
    assert tool_names(read_tools([FUNCTION], "'tools'")) == ["book_table"]
    assert tool_names("") == []


def test_nulls_of_other_rows_of_a_parquet_file_are_left_out():
    schema = {"type": "object", "properties": {"n": {"type": "integer", "default": None, "enum": None}, "m": None}}
    given = FUNCTION | {"parameters": schema, "strict": None}

    (tool,) = json.loads(read_tools([given], "'tools'"))

    assert tool["function"]["parameters"] == {
        "type": "object",
        "properties": {"n": {"type": "integer", "default": None}},
    }
    assert "strict" not in tool["function"]


@pytest.mark.parametrize("value", ["{", 7, "7", [1], [{}], [{"name": " "}], [{"type": "function"}], "book_table"])
def test_what_is_not_a_list_of_tools_is_refused(value: object):
    with pytest.raises(RowFault, match="'tools'"):
        read_tools(value, "'tools'")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"parameters": 5}, "'parameters' that is a number, not an object"),
        ({"parameters": "{}"}, "'parameters' that is a string, not an object"),
        ({"parameters": {"type": "object", "properties": ["city"]}}, "'properties' that is a list, not an object"),
        ({"description": ["Books"]}, "'description' that is a list, not a string"),
        ({"parameters": {"since": date(2026, 1, 2)}}, "'2026-01-02', which JSON cannot write"),
        ({"parameters": {"seats": Decimal("1.5")}}, "'1.5', which JSON cannot write"),
    ],
)
def test_a_part_of_a_tool_of_another_kind_is_refused(change: dict[str, object], why: str):
    with pytest.raises(RowFault, match=re.escape(f"'tools' item 2 has {why}") if "JSON" not in why else re.escape(why)):
        read_tools([{"name": "other"}, FUNCTION | change], "'tools'")
    with pytest.raises(RowFault, match=r"item 1 has 'type' that is a number, not a string"):
        read_tools([TOOL | {"type": 5}], "'tools'")


@pytest.mark.parametrize(
    "value",
    [CALL, [CALL], json.dumps(CALL), json.dumps([CALL]), {"id": "c", "type": "function", "function": CALL},
     {"name": "book_table", "arguments": json.dumps(ARGUMENTS)}, {"name": "book_table", "parameters": ARGUMENTS}],
)  # fmt: skip
def test_a_call_is_read_from_each_form(value: object):
    (call,) = read_calls(value, "it")

    assert (call.name, call.values) == ("book_table", ARGUMENTS)


@pytest.mark.parametrize("arguments", [None, "", " ", {}, "{}"])
def test_a_call_may_have_no_arguments(arguments: object):
    (call,) = read_calls({"name": "ring", "arguments": arguments}, "it")

    assert call.arguments == "{}"


@pytest.mark.parametrize(
    "value", ["ring", {}, {"name": 7}, {"name": "a", "arguments": "b"}, {"name": "a", "arguments": 0},
              {"name": "a", "arguments": {"at": date(2026, 1, 2)}}, {"name": "a", "arguments": {"photo": b"x"}}]
)  # fmt: skip
def test_what_is_not_a_call_is_refused(value: object):
    with pytest.raises(RowFault, match="it "):
        list(read_calls(value, "it"))


def test_results_come_in_the_order_of_their_calls_where_ids_say_which():
    assert in_order_of_calls([("b", 2), ("a", 1)], ["a", "b"]) == [1, 2]
    assert in_order_of_calls([("b", 2), ("c", 1)], ["a", "b"]) == [2, 1]
    assert in_order_of_calls([(None, 2), (None, 1)], [None, None]) == [2, 1]
    assert in_order_of_calls([("a", 2)], ["a", "b"]) == [2]


@pytest.mark.parametrize(
    "text",
    ['{"name": "a", "name": "b"}', '{"name": "a", "arguments": {"x": 1, "x": 2}}',
     '{"name": "a", "arguments": "{\\"x\\": [{\\"y\\": 1, \\"y\\": 2}]}"}'],
)  # fmt: skip
def test_a_key_that_is_there_twice_is_a_fault_however_deep(text: str):
    with pytest.raises(RowFault, match=r"it has the key '[a-z]+' twice"):
        list(read_calls(text, "it"))
    with pytest.raises(RowFault, match=r"it has the key 'x' twice"):
        read_tools('[{"name": "a", "parameters": {"x": 1, "x": 2}}]', "it")


def test_what_is_nested_too_deep_is_a_fault():
    deep = '{"x": ' * 100 + "1" + "}" * 100

    for text in (deep, "[" * 100_000, f'{{"name": "a", "arguments": {deep}}}'):
        with pytest.raises(RowFault, match=r"it .*(?:nested in more than 64 levels|not JSON)"):
            list(read_calls(text, "it"))
