"""What a client may ask, and what it is told when it asks wrongly."""

import json

import pytest

from toolkit.serve.openai import RequestError, UpToStop, read_request

ASKED = {"model": "tuned", "messages": [{"role": "user", "content": "你是谁？"}]}


def read(body=None, **changes):
    body = json.dumps({**ASKED, **changes}).encode() if body is None else body
    return read_request(body, names=("base", "tuned"), system="As trained.", max_new_tokens=100)


def refused(**changes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        read(**changes)
    return caught.value


def messages(*roles: str) -> list[dict[str, str]]:
    return [{"role": role, "content": role} for role in roles]


def test_a_plain_question_is_answered_greedily_under_the_runs_system_prompt():
    asked = read()

    assert asked.messages == [{"role": "system", "content": "As trained."}, *ASKED["messages"]]
    assert (asked.temperature, asked.max_new_tokens, asked.stream) == (0.0, 100, False)


@pytest.mark.parametrize("role", ["system", "developer"])
@pytest.mark.parametrize("text", ["Be a poet.", ""])
def test_a_system_message_of_the_clients_own_stays(role, text):
    given = [{"role": role, "content": text}, *ASKED["messages"]]

    assert read(messages=given).messages[0] == {"role": "system", "content": text}


def test_no_system_prompt_at_all_lets_the_chat_template_speak_its_own():
    asked = read_request(json.dumps(ASKED).encode(), names=("tuned",), system="", max_new_tokens=1)

    assert asked.messages == ASKED["messages"]


def test_text_may_come_in_parts():
    parts = [{"type": "text", "text": "你是"}, {"type": "text", "text": "谁？"}]

    assert read(messages=[{"role": "user", "content": parts}]).messages[-1]["content"] == "你是谁？"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_an_answer_is_as_long_as_asked_up_to_the_servers_longest(name):
    assert read(**{name: 7}).max_new_tokens == 7
    assert read(**{name: 10**6}).max_new_tokens == 100
    assert refused(**{name: 0}).param == "max_tokens"


def test_what_sampling_and_logprobs_need_is_read():
    asked = read(
        temperature=0.7, top_p=0.9, stop="\n", logprobs=True, top_logprobs=3, stream=True,
        stream_options={"include_usage": True}, user="u", seed=1, metadata={}, n=1, presence_penalty=0, tools=[],
    )  # fmt: skip

    assert (asked.temperature, asked.top_p, asked.stop) == (0.7, 0.9, ("\n",))
    assert (asked.top_logprobs, asked.stream, asked.include_usage) == (3, True, True)
    assert read(stop=["a", "b"]).stop == ("a", "b")
    assert read(logprobs=True).top_logprobs == 0
    assert read(top_logprobs=3).top_logprobs is None


@pytest.mark.parametrize("model", ["gpt-4o", None, 3, ["tuned"]])
def test_an_unknown_model_is_not_found_and_those_there_are_named(model):
    error = refused(model=model)

    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert error.message.endswith("There are: base, tuned.")
    assert error.to_dict()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(body):
    with pytest.raises(RequestError) as caught:
        read(body)

    assert (caught.value.status, caught.value.code) == (400, "invalid_json")


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ("你好", "messages"),
        (["你好"], "messages[0]"),
        ([{"role": "tool", "content": "x"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": 3}], "messages[0].content"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "/x"}}]}], "messages[0].content"),
        ([{"role": "user", "content": "\ud800"}], "messages[0].content"),
        (messages("system"), "messages"),
        (messages("assistant"), "messages"),
        (messages("user", "assistant"), "messages"),
        (messages("user", "user"), "messages"),
        (messages("user", "system", "user"), "messages"),
    ],
)  # fmt: skip
def test_messages_that_no_chat_could_hold_are_refused_with_their_place(given, param):
    error = refused(messages=given)

    assert (error.status, error.param) == (400, param)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "hot"), ("temperature", -1), ("temperature", True), ("top_p", 1.5), ("stream", "yes"),
        ("stream_options", 1), ("stop", [""]), ("stop", ["a"] * 5), ("stop", 3), ("n", 2), ("tools", [{}]),
        ("response_format", {"type": "json_object"}), ("presence_penalty", 0.5), ("logit_bias", {"1": 1}),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_and_not_left_aside(name, value):
    error = refused(**{name: value})

    assert (error.status, error.param) == (400, name)
    assert name in error.message


def told(stop, *pieces: str) -> list[str]:
    cut = UpToStop(stop)
    return [cut(piece, last=at == len(pieces) - 1) for at, piece in enumerate(pieces)]


def test_an_answer_ends_before_a_stop_text():
    assert told(["END"], "one END two") == ["one "]
    assert told(["two", "one"], "one two") == [""]


def test_a_stop_text_in_pieces_is_not_told():
    assert told(["END"], "one E", "N", "D two", "three") == ["one ", "", "", ""]
    assert told(["\n\n"], "a\n", "b\n", "\nc") == ["a", "\nb", ""]


def test_what_only_looked_like_a_stop_text_is_told_in_the_end():
    assert told(["END"], "one E", "N", "X") == ["one ", "", "ENX"]
    assert told(["END"], "one EN") == ["one EN"]
    assert told([], "one", "two") == ["one", "two"]
