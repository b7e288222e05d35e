"""Stop texts, and the two shapes in which an answer reaches the client."""

import asyncio

import pytest

from toolkit.serve.completion import AnswerPart, StopTexts, chat_chunks, chat_completion
from toolkit.serve.openai import ChatRequest, RequestError

ENTRIES = tuple({"token": token, "logprob": -1.0, "bytes": [], "top_logprobs": []} for token in "ab")
PARTS = [AnswerPart(text="one ", tokens=1), AnswerPart(text="two", tokens=3, finish_reason="stop")]


def request(**settings) -> ChatRequest:
    return ChatRequest(model="tuned", messages=[], max_new_tokens=9, **settings)


async def stream(parts):
    for part in parts:
        yield part


def completion(parts, **settings):
    return asyncio.run(chat_completion(request(**settings), 10, stream(parts)))


def chunks(parts, **settings):
    async def collected():
        return [chunk async for chunk in chat_chunks(request(**settings), 10, stream(parts))]

    return asyncio.run(collected())


def test_a_completion_joins_the_parts():
    found = completion(PARTS)

    assert (found["object"], found["model"]) == ("chat.completion", "tuned")
    assert found["choices"] == [
        {
            "index": 0, "message": {"role": "assistant", "content": "one two", "refusal": None}, "logprobs": None,
            "finish_reason": "stop",
        }
    ]  # fmt: skip
    assert found["usage"] == {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}


def test_chunks_have_one_id_a_role_first_and_a_reason_last():
    found = chunks(PARTS)

    assert {chunk["object"] for chunk in found} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in found}) == 1
    assert [chunk["choices"][0]["delta"] for chunk in found] == [
        {"role": "assistant", "content": "one "}, {"content": "two"}, {},
    ]  # fmt: skip
    assert [chunk["choices"][0]["finish_reason"] for chunk in found] == [None, None, "stop"]


def test_the_last_chunk_counts_the_tokens_if_asked():
    assert chunks(PARTS, include_usage=True)[-1]["usage"]["total_tokens"] == 13
    assert all("usage" not in chunk for chunk in chunks(PARTS))


def test_logprobs_come_with_their_part():
    parts = [
        AnswerPart(text="a", tokens=1, logprobs=ENTRIES[:1]),
        AnswerPart(text="b", tokens=2, logprobs=ENTRIES[1:], finish_reason="length"),
    ]

    assert completion(parts, top_logprobs=0)["choices"][0]["logprobs"] == {"content": list(ENTRIES)}
    streamed = [chunk["choices"][0]["logprobs"] for chunk in chunks(parts, top_logprobs=0)]
    assert streamed == [{"content": [ENTRIES[0]]}, {"content": [ENTRIES[1]]}, None]


@pytest.mark.parametrize("parts", [[], PARTS[:1]])
def test_a_cancelled_answer_is_not_passed_off_as_complete(parts):
    with pytest.raises(RequestError) as caught:
        completion(parts)

    assert (caught.value.status, caught.value.code) == (503, "server_stopping")
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks(parts))


def cut(stop, *parts: str) -> list[str]:
    until_stop = StopTexts(stop)
    return [until_stop.add(part, last=number == len(parts)) for number, part in enumerate(parts, start=1)]


def test_an_answer_ends_before_a_stop_text():
    assert cut(["END"], "one END two") == ["one "]
    assert cut(["two", "one"], "one two") == [""]


def test_a_stop_text_in_several_parts_is_cut_off():
    assert cut(["END"], "one E", "N", "D two", "three") == ["one ", "", "", ""]
    assert cut(["\n\n"], "a\n", "b\n", "\nc") == ["a", "\nb", ""]


def test_text_that_only_looked_like_a_stop_text_comes_in_the_end():
    assert cut(["END"], "one E", "N", "X") == ["one ", "", "ENX"]
    assert cut(["END"], "one EN") == ["one EN"]
    assert cut([], "one", "two") == ["one", "two"]
