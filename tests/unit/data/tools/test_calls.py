"""Calls as values: read from answers, and compared as JSON."""

import json

import pytest

from toolkit.data.tools.calls import ToolCall, call_of, is_deep, meant_calls, reply_of, same_calls, same_json, written


def call(name: str = "look", **arguments: object) -> ToolCall:
    return ToolCall(name=name, arguments=json.dumps(arguments))


def test_what_is_written_is_read_again():
    first, second = call(at="door"), call("wait", seconds=3)

    reply = reply_of(f"One moment.\n{written(first)}\n{written(second)}")

    assert (reply.text, reply.calls, reply.broken) == ("One moment.", (first, second), False)


def test_a_plain_answer_has_no_calls():
    reply = reply_of("It is open.")

    assert (reply.text, reply.calls, reply.broken) == ("It is open.", (), False)


@pytest.mark.parametrize(
    "answer",
    ['<tool_call>\n{"name": "look"', "<tool_call>look()</tool_call>", "look</tool_call>",
     '<tool_call>{"name": "look", "arguments": [1]}</tool_call>', "<tool_call>[]</tool_call>"],
)  # fmt: skip
def test_a_mark_without_a_call_behind_it_is_broken(answer: str):
    reply = reply_of(answer)

    assert (reply.calls, reply.broken) == ((), True)


@pytest.mark.parametrize("text", ["", "{", "7", '{"name": ""}', '{"name": 1}', '{"arguments": {}}', "[" * 100_000])
def test_what_is_not_a_call_is_none(text: str):
    assert call_of(text) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (3, 3.0, True), (1, True, False), (0, False, False), (True, True, True), ("3", 3, False), (None, None, True),
        ({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}, True), ([1, 2], [2, 1], False), ([1], [1, 1], False),
        ({"a": 1}, {"a": 1, "b": None}, False), ({"a": [True]}, {"a": [1]}, False),
    ],
)  # fmt: skip
def test_arguments_are_compared_as_json_values(one: object, other: object, *, same: bool):
    assert same_json(one, other) is same


def test_calls_are_the_same_in_any_order_and_as_often():
    one, other = call(at="door"), call(at="gate")

    assert same_calls([one, other], [other, one])
    assert same_calls([], [])
    assert not same_calls([one, one], [one, other])
    assert not same_calls([one], [one, one])
    assert not same_calls([one], [call("wait", at="door")])


@pytest.mark.parametrize("form", ["{}", "```json\n{}\n```", "<tool_call>\n{}\n</tool_call>", "```\n{}\n```\n"])
def test_what_a_model_means_to_call_needs_no_marks_if_it_says_nothing_else(form: str):
    text = '{"name": "look", "arguments": {"at": "door"}}'

    assert meant_calls(form.replace("{}", text)).calls == (call(at="door"),)
    assert meant_calls(f"{text}\n{text}").calls == (call(at="door"),) * 2
    assert meant_calls(f"So I call {text}").calls == meant_calls('{"at": "door"}').calls == ()
    assert meant_calls("<tool_call> look").broken


def test_depth_is_counted_without_recursion():
    value: object = 1
    for _ in range(64):
        value = [value]

    assert not is_deep(value)
    assert is_deep([value])
    assert is_deep({"a": [value]})
    assert call_of('{"name": "a", "arguments": ' + '{"a": ' * 100 + "1" + "}" * 101) is None
