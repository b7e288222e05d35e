"""What a client may ask, and the errors it gets for anything else."""

import json

import pytest

from tests.fakes.tool_rows import FUNCTION, TOOL
from toolkit.model.conversation import THINKING
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
        ([{"role": "narrator", "content": "x"}], "messages[0].role"),
        ([{"role": "tool"}], "messages[0].content"),
        ([{"role": "assistant"}], "messages[0].content"),
        ([{"role": "assistant", "tool_calls": []}], "messages[0].content"),
        ([{"role": "assistant", "tool_calls": [{"id": "1"}]}], "messages[0].tool_calls"),
        ([{"role": "assistant", "tool_calls": [{"name": "a", "arguments": "{"}]}], "messages[0].tool_calls"),
        ([{"role": "assistant", "tool_calls": [{"name": "a\ud800"}]}], "messages[0].tool_calls"),
        ([{"role": "assistant", "tool_calls": ["a"]}], "messages[0].tool_calls"),
        ([{"role": "user", "content": "x", "tool_calls": [{"name": "a"}]}], "messages[0].tool_calls"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": 3}], "messages[0].content"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "/x"}}]}], "messages[0].content"),
        ([{"role": "user", "content": "\ud800"}], "messages[0].content"),
        (messages("user") * 2049, "messages"),
    ],
)  # fmt: skip
def test_invalid_messages_are_refused_with_their_position(given, param):
    error = refused(messages=given)

    assert (error.status, error.code, error.param) == (400, "invalid_value", param)
    assert error.message.startswith(param)


@pytest.mark.parametrize(
    "roles",
    [
        ("user", "user"), ("user", "system", "user"), ("user", "developer"), ("assistant", "user"), ("system",),
        ("user", "assistant"), ("assistant",), ("system", "system", "user"),
    ],
)  # fmt: skip
def test_what_the_template_renders_is_answered_whoever_takes_turns(roles):
    sent = [{**message, "role": message["role"].replace("developer", "system")} for message in messages(*roles)]
    read_messages = read(messages=messages(*roles)).messages

    assert [message["role"] for message in read_messages[-len(sent) :]] == [message["role"] for message in sent]
    assert read_messages[0]["role"] == "system"


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
@pytest.mark.parametrize("content", [None, [], ""])
def test_null_content_is_empty_text(role, content):
    assert read(messages=[*messages("user"), {"role": role, "content": content}]).messages[-1] == {
        "role": role, "content": "",
    }  # fmt: skip


def test_an_answer_may_be_sent_back_as_the_client_library_has_it():
    answer = {"role": "assistant", "content": "Hi", "refusal": None, "annotations": [], "audio": None,
              "function_call": None, "tool_calls": None}  # fmt: skip

    assert read(messages=[*messages("user"), answer, *messages("user")]).messages[-2] == {
        "role": "assistant", "content": "Hi",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "Ann"),
        ("function_call", {"name": "a"}),
        ("audio", {"id": "1"}),
        ("thinking", "…"),
        ("cache_control", {}),
    ],
)
def test_a_messages_field_that_the_template_does_not_render_is_refused(name, value):
    error = refused(messages=[{"role": "user", "content": "x", name: value}])

    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", f"messages[0].{name}")


@pytest.mark.parametrize("temperature", [1e-38, 1e-45, 5e-324, 0, 0.0, -0.0])
def test_a_temperature_near_zero_is_allowed(temperature):
    assert read(temperature=temperature).temperature == pytest.approx(0, abs=1e-37)


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e400", "-5e-324", "1" + "0" * 400, "1" + "0" * 5000]
)
@pytest.mark.parametrize("name", ["temperature", "top_p"])
def test_what_is_not_a_finite_number_in_range_is_refused(name, value):
    body = json.dumps(QUESTION)[:-1] + f', "{name}": {value}}}'
    with pytest.raises(RequestError) as caught:
        read(body.encode())

    assert caught.value.status == 400
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("name", ["max_tokens", "top_logprobs"])
def test_a_number_without_end_is_an_error_of_the_request_or_the_longest(name):
    body = json.dumps({**QUESTION, "logprobs": True})[:-1] + f', "{name}": 1{"0" * 400}}}'
    if name == "max_tokens":
        assert read(body.encode()).max_new_tokens == 100
    else:
        with pytest.raises(RequestError, match="from 0 to 20"):
            read(body.encode())


@pytest.mark.parametrize("value", [1, None, {"a": 1}, "x"])
@pytest.mark.parametrize("name", ["best_of", "guided_json", "enable_thinking", "Temperature", "temperature "])
def test_a_field_that_is_not_known_is_refused_with_its_name(name, value):
    error = refused(**{name: value})

    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", name)
    assert error.message == f"There is no field {name} here."


def test_a_streams_options_are_known_too():
    assert refused(stream=True, stream_options={"usage": True}).param == "stream_options.usage"
    assert refused(stream=True, stream_options={"continuous_usage_stats": True}).param.endswith("usage_stats")
    assert read(stream=True, stream_options={"include_obfuscation": False}) == read(stream=True)


def test_an_error_quotes_little_of_what_it_refuses():
    assert len(refused(model="m" * 100_000).message) < 300
    assert len(refused(**{"f" * 100_000: 1}).message) < 300
    assert len(refused(temperature="t" * 100_000).message) < 300


def test_many_faults_are_refused_at_the_first():
    """Each would be a line of the error that is thrown away."""
    with pytest.raises(RequestError, match=r"messages\[0\]"):
        read(json.dumps({**QUESTION, "messages": [{}] * 2000}).encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "hot"), ("temperature", -1), ("temperature", True), ("top_p", 1.5), ("stream", "yes"),
        ("temperature", float("nan")), ("top_p", "1"), ("stream", 1), ("max_tokens", 2.5), ("max_tokens", True),
        ("top_logprobs", 21), ("logprobs", 1), ("stream_options", 1), ("stream_options", {"include_usage": "yes"}),
        ("stop", ""), ("stop", [""]), ("stop", ["a"] * 5), ("stop", 3), ("stop", [1]),
        ("stop", "x" * 1001), ("stop", 0), ("stop", False), ("max_tokens", -1),
    ],
)  # fmt: skip
def test_a_value_that_is_not_allowed_is_refused_with_what_is(name, value):
    error = refused(**{name: value})

    assert (error.status, error.code, error.param.split(".")[0]) == (400, "invalid_value", name)
    assert error.message.startswith(f"{error.param} must be a ")


def test_the_errors_say_what_is_allowed():
    assert refused(temperature=3).message == "temperature must be a number from 0 to 2."
    assert refused(stop=[""]).message == "stop must be a text of 1 to 1000 characters, or a list of at most 4."
    assert refused(stream_options={"include_usage": 1}).message == "stream_options.include_usage must be a boolean."
    assert refused(messages=["x"]).message == "messages[0] must be an object with role and content."
    assert refused(messages=messages("narrator")).message == (
        "messages[0].role must be one of system, user, assistant, tool."
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2), ("functions", [{}]), ("response_format", {"type": "json_object"}), ("presence_penalty", 0.5),
        ("logit_bias", {"1": 1}), ("repetition_penalty", 1.1), ("top_k", 20), ("min_p", 0.1), ("n", 0), ("n", True),
        ("tool_choice", "required"), ("repetition_penalty", 0), ("repetition_penalty", float("nan")),
        ("reasoning_effort", "high"), ("top_k", 10**400), ("tool_choice", {"type": "function"}),
    ],
)  # fmt: skip
def test_a_field_that_would_change_the_answer_is_refused_and_not_ignored(name, value):
    error = refused(**{name: value})

    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", name)
    assert name in error.message


def test_null_stands_for_the_default():
    names = ("temperature", "top_p", "max_tokens", "stop", "stream", "stream_options", "logprobs", "top_logprobs", "n")

    assert read(**dict.fromkeys(names)) == read()


@pytest.mark.parametrize(
    ("tools", "reason"),
    [
        ([{}], "tools item 1 is not a tool with a name"),
        ([FUNCTION, FUNCTION], "tools has two tools named 'book_table'"),
        ([{"name": "a\ud800"}], "tools: It contains half a character"),
        (False, "tools must be a list of at most 128 functions."),
        ([{"name": str(number)} for number in range(129)], "tools must be a list of at most 128 functions."),
        (
            [{"name": "a", "parameters": [[]] * 9 + [json.loads("[" * 99 + "]" * 99)]}],
            "tools is nested in more than 64",
        ),
    ],
)
def test_what_is_not_a_list_of_tools_is_refused(tools, reason):
    error = refused(tools=tools)

    assert (error.status, error.code, error.param) == (400, "invalid_value", "tools")
    assert error.message.startswith(reason)


@pytest.mark.parametrize("choice", [None, "auto"])
def test_tools_go_before_everything_else(choice):
    request = read(tools=[TOOL], tool_choice=choice)

    assert request.calls
    first, second, third = request.messages
    assert (first["role"], json.loads(first["content"])) == ("tools", [TOOL])
    assert (second["content"], third) == ("As trained.", QUESTION["messages"][0])


@pytest.mark.parametrize("settings", [{}, {"tools": []}, {"tools": None}, {"tools": [TOOL], "tool_choice": "none"}])
def test_without_tools_and_where_none_may_be_called_an_answer_is_text(settings):
    assert read(**settings) == read()
    assert not read(**settings).calls


def test_calls_and_results_are_read_in_the_order_of_the_calls():
    calls = [{"id": name, "type": "function", "function": {"name": name, "arguments": '{"at": 1}'}} for name in "ab"]
    given = [
        {"role": "user", "content": "Both."}, {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "b", "content": "2", "name": "b"},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "1"}]},
        {"role": "assistant", "tool_calls": calls[:1]}, {"role": "tool", "content": "3"},
    ]  # fmt: skip

    read_messages = read(messages=given, tools=[TOOL]).messages[2:]

    assert [message["role"] for message in read_messages] == [message["role"] for message in given]
    assert [message["content"] for message in read_messages] == ["Both.", "", "1", "2", "", "3"]
    assert read_messages[1]["tool_calls"] == [
        {"type": "function", "function": {"name": name, "arguments": {"at": 1}}} for name in "ab"
    ]  # fmt: skip
    assert "name" not in read_messages[3]


def asked_of_a_thinker(**more):
    body = json.dumps(QUESTION | more).encode()
    return read_request(body, names=("tuned",), system="", max_new_tokens=9, thinks=True)


def test_a_model_that_thinks_is_asked_to_unless_the_request_switches_it_off():
    asked, off = asked_of_a_thinker(), asked_of_a_thinker(chat_template_kwargs={"enable_thinking": False})

    assert asked.thinking
    assert asked.messages[:1] == THINKING
    assert not off.thinking
    assert off.messages[:1] != THINKING
    assert not read(chat_template_kwargs={"enable_thinking": True}).thinking  # it has no thoughts


def test_the_thought_of_an_earlier_answer_is_for_a_template_that_reads_thoughts():
    turns = [{"role": "user", "content": "A"}, {"role": "assistant", "content": "B", "reasoning_content": "Hm."},
             {"role": "user", "content": "C"}]  # fmt: skip

    assert asked_of_a_thinker(messages=turns).messages[2]["content"] == "<think>\nHm.\n</think>\n\nB"
    assert read(messages=turns).messages[-2]["content"] == "B"


@pytest.mark.parametrize(("options", "param"), [({"enable_thinking": "no"}, "enable_thinking"), ({"mode": 1}, "mode")])
def test_what_a_template_is_asked_for_besides_is_refused(options, param):
    with pytest.raises(RequestError) as refused:
        read(chat_template_kwargs=options)

    assert refused.value.status == 400
    assert param in refused.value.param
