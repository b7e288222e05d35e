"""What a client may ask, and the errors it gets for anything else."""

import json

import pytest

from toolkit.serve.openai import RequestError, read_request

QUESTION = {"model": "tuned", "messages": [{"role": "user", "content": "你是谁？"}]}


def read(body=None, **changes):
    body = json.dumps({**QUESTION, **changes}).encode() if body is None else body
    return read_request(body, names=("base", "tuned"), system="As trained.", max_new_tokens=100)


def refused(**changes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        read(**changes)
    return caught.value


def messages(*roles: str) -> list[dict[str, str]]:
    return [{"role": role, "content": role} for role in roles]


def test_a_plain_question_is_answered_greedily_under_the_runs_system_prompt():
    request = read()

    assert request.messages == [{"role": "system", "content": "As trained."}, *QUESTION["messages"]]
    assert (request.temperature, request.max_new_tokens, request.stream) == (0.0, 100, False)


@pytest.mark.parametrize("role", ["system", "developer"])
@pytest.mark.parametrize("text", ["Be a poet.", ""])
def test_a_system_message_of_the_clients_own_stays(role, text):
    given = [{"role": role, "content": text}, *QUESTION["messages"]]

    assert read(messages=given).messages[0] == {"role": "system", "content": text}


def test_without_any_system_prompt_the_chat_template_uses_its_default():
    request = read_request(json.dumps(QUESTION).encode(), names=("tuned",), system="", max_new_tokens=1)

    assert request.messages == QUESTION["messages"]


def test_text_may_come_in_parts():
    parts = [{"type": "text", "text": "你是"}, {"type": "text", "text": "谁？"}]

    assert read(messages=[{"role": "user", "content": parts}]).messages[-1]["content"] == "你是谁？"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_an_answer_is_as_long_as_asked_up_to_the_servers_longest(name):
    assert read(**{name: 7}).max_new_tokens == 7
    assert read(**{name: 10**6}).max_new_tokens == 100
    assert refused(**{name: 0}).param == name


def test_the_settings_of_sampling_and_logprobs_are_read():
    request = read(
        temperature=0.7, top_p=0.9, top_k=-1, repetition_penalty=1, stop="\n", logprobs=True, top_logprobs=3,
        stream=True, stream_options={"include_usage": True}, user="u", seed=1, metadata={}, n=1,
        presence_penalty=0, tools=[],
    )  # fmt: skip

    assert (request.temperature, request.top_p, request.stop) == (0.7, 0.9, ("\n",))
    assert (request.top_logprobs, request.stream, request.include_usage) == (3, True, True)
    assert read(stop=["a", "b"]).stop == ("a", "b")
    assert read(logprobs=True).top_logprobs == 0
    assert read(top_logprobs=3).top_logprobs is None


@pytest.mark.parametrize("model", ["gpt-4o", None, 3, ["tuned"]])
def test_an_unknown_model_is_not_found_and_the_error_lists_those_there_are(model):
    error = refused(model=model)

    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert error.message.endswith("There are: base, tuned.")
    assert error.to_dict()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_not_a_json_object_is_refused(body):
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
def test_invalid_messages_are_refused_with_their_position(given, param):
    error = refused(messages=given)

    assert (error.status, error.code, error.param) == (400, "invalid_value", param)
    assert error.message.startswith(param)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "hot"), ("temperature", -1), ("temperature", True), ("top_p", 1.5), ("stream", "yes"),
        ("temperature", float("nan")), ("top_p", "1"), ("stream", 1), ("max_tokens", 2.5), ("max_tokens", True),
        ("top_logprobs", 21), ("logprobs", 1), ("stream_options", 1), ("stream_options", {"include_usage": "yes"}),
        ("stop", ""), ("stop", [""]), ("stop", ["a"] * 5), ("stop", 3), ("stop", [1]),
    ],
)  # fmt: skip
def test_a_value_that_is_not_allowed_is_refused_with_what_is(name, value):
    error = refused(**{name: value})

    assert (error.status, error.code, error.param.split(".")[0]) == (400, "invalid_value", name)
    assert error.message.startswith(f"{error.param} must be a ")


def test_the_errors_say_what_is_allowed():
    assert refused(temperature=3).message == "temperature must be a number from 0 to 2."
    assert refused(stop=[""]).message == "stop must be a text, or a list of at most 4, none of them empty."
    assert refused(stream_options={"include_usage": 1}).message == "stream_options.include_usage must be a boolean."
    assert refused(messages=["x"]).message == "messages[0] must be an object with role and content."
    assert refused(messages=messages("tool")).message == "messages[0].role must be one of system, user, assistant."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2), ("tools", [{}]), ("response_format", {"type": "json_object"}), ("presence_penalty", 0.5),
        ("logit_bias", {"1": 1}), ("repetition_penalty", 1.1), ("top_k", 20), ("min_p", 0.1),
    ],
)  # fmt: skip
def test_a_field_that_would_change_the_answer_is_refused_and_not_ignored(name, value):
    error = refused(**{name: value})

    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", name)
    assert name in error.message


def test_null_stands_for_the_default():
    names = ("temperature", "top_p", "max_tokens", "stop", "stream", "stream_options", "logprobs", "top_logprobs", "n")

    assert read(**dict.fromkeys(names)) == read()
