"""Calls in an answer that comes in parts: taken out of its text, whole, wherever the parts are divided."""

import asyncio
import json

import pytest

from toolkit.data.tools.calls import ToolCall, written
from toolkit.data.tools.forms import HERMES, NAMED, OBJECTS
from toolkit.serve.completion import AnswerPart, chat_chunks, chat_completion
from toolkit.serve.openai import ChatRequest
from toolkit.serve.tool_calls import CallReader, with_calls

LOOK = ToolCall(name="look", arguments='{"at": "door"}')
WAIT = ToolCall(name="wait", arguments='{"seconds": 3}')
BROKEN = "<tool_call>\n{look}\n</tool_call>"
REQUEST = ChatRequest(model="tuned", messages=[], max_new_tokens=9, calls=True)


def divided(answer: str, size: int) -> list[AnswerPart]:
    texts = [answer[at : at + size] for at in range(0, len(answer), size)] or [""]
    return [
        AnswerPart(text=text, tokens=at, finish_reason="stop" if at == len(texts) else None)
        for at, text in enumerate(texts, start=1)
    ]  # fmt: skip


async def stream(parts):
    for part in parts:
        yield part


def collected(parts, form=HERMES) -> list[AnswerPart]:
    async def collect():
        return [part async for part in with_calls(stream(parts), form)]

    return asyncio.run(collect())


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("answer", "text", "calls"),
    [
        ("It is open.", "It is open.", ()),
        ("1 <tool 2 <tool_cal", "1 <tool 2 <tool_cal", ()),
        (" It is \n open. ", " It is \n open. ", ()),
        (written(LOOK), "", (LOOK,)),
        (f"One moment.\n{written(LOOK)}", "One moment.", (LOOK,)),
        (f"{written(LOOK)}\n{written(WAIT)}\n", "", (LOOK, WAIT)),
        (f"{written(LOOK)}\nDone.", "Done.", (LOOK,)),
        (BROKEN, BROKEN, ()),
        (f"{written(LOOK)}\n<tool_call>\n{{", "<tool_call>\n{", (LOOK,)),
        ("<tool_call>", "<tool_call>", ()),
        ("", "", ()),
    ],
)
def test_an_answer_is_divided_alike_however_it_comes(answer, text, calls, size):
    parts = collected(divided(answer, size))

    assert "".join(part.text for part in parts) == text
    assert tuple(call for part in parts for call in part.calls) == calls
    assert [part.finish_reason for part in parts if part.finish_reason] == ["tool_calls" if calls else "stop"]


def test_text_is_passed_on_as_soon_as_it_is_certain_that_no_call_begins():
    reader = CallReader()

    assert list(reader.add("It is", last=False)) == ["It is"]
    assert list(reader.add(" <tool", last=False)) == []
    assert list(reader.add("s> open", last=False)) == [" <tools> open"]
    assert list(reader.add("<tool_call>", last=False)) == []
    assert list(reader.add("", last=True)) == ["<tool_call>"]


def test_an_answer_that_is_cut_off_says_so_and_log_probabilities_stay_with_what_they_are_of():
    parts = [
        AnswerPart(text=text, tokens=at, logprobs=({"token": text},), finish_reason=reason)
        for at, (text, reason) in enumerate(
            [("a", None), ("<tool_call>", None), (" {", None), ("x", "length")], start=1
        )
    ]

    found = collected(parts)

    assert [part.finish_reason for part in found] == [None, "length"]
    assert [[entry["token"] for entry in part.logprobs] for part in found] == [["a"], ["<tool_call>", " {", "x"]]


def test_a_completion_has_calls_in_openais_form():
    parts = with_calls(stream(divided(f"{written(LOOK)}\n{written(WAIT)}", 5)))
    (choice,) = asyncio.run(chat_completion(REQUEST, 10, parts))["choices"]

    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    first, second = choice["message"]["tool_calls"]
    assert first == {
        "id": first["id"], "type": "function", "function": {"name": "look", "arguments": '{"at": "door"}'},
    }  # fmt: skip
    assert json.loads(second["function"]["arguments"]) == {"seconds": 3}
    assert first["id"] != second["id"]


def test_chunks_number_the_calls_and_end_with_their_reason():
    async def chunks():
        parts = with_calls(stream(divided(f"Wait. {written(LOOK)}{written(WAIT)}", 4)))
        return [chunk async for chunk in chat_chunks(REQUEST, 10, parts)]

    choices = [chunk["choices"][0] for chunk in asyncio.run(chunks())]
    calls = [call for one in choices for call in one["delta"].get("tool_calls", ())]

    assert [(call["index"], call["function"]["name"]) for call in calls] == [(0, "look"), (1, "wait")]
    assert "".join(one["delta"].get("content") or "" for one in choices) == "Wait."
    assert choices[0]["delta"]["role"] == "assistant"
    assert [one["finish_reason"] for one in choices if one["finish_reason"]] == ["tool_calls"]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("form", "answer"),
    [
        (OBJECTS, '{"name": "look", "parameters": {"at": "door"}}; {"name": "wait", "parameters": {"seconds": 3}}'),
        (OBJECTS, '[{"name": "look", "arguments": {"at": "door"}}, {"name": "wait", "arguments": {"seconds": 3}}]'),
        (NAMED, 'look\n{"at": "door"}\nwait\n{"seconds": 3}'),
    ],
)
def test_an_answer_made_of_calls_without_marks_has_no_text(form, answer, size):
    parts = collected(divided(answer, size), form)

    assert [call for part in parts for call in part.calls] == [LOOK, WAIT]
    assert not "".join(part.text for part in parts)
    assert parts[-1].finish_reason == "tool_calls"


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("answer", ["The door is open.", '{"name": "look"', "[1, 2]", "look {there}", " ", ""])
@pytest.mark.parametrize("form", [OBJECTS, NAMED], ids=lambda form: form.title)
def test_without_marks_every_other_answer_is_its_text(form, answer, size):
    parts = collected(divided(answer, size), form)

    assert "".join(part.text for part in parts) == answer
    assert not any(part.calls for part in parts)
    assert parts[-1].finish_reason == "stop"


def test_text_that_cannot_become_calls_is_sent_at_once():
    parts = collected(divided("The door is open.", 1), OBJECTS)

    assert parts[0].text == "T"
