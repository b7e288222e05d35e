"""What a client asks, in the shape of OpenAI's chat completions, and the error it gets for what cannot be answered.

Reference: https://platform.openai.com/docs/api-reference/chat/create
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from toolkit.core.text import with_thought
from toolkit.data.records import RowFault
from toolkit.data.tools.reading import in_order_of_calls, read_calls, read_tools
from toolkit.model.conversation import THINKING, Messages, system_messages, tools_messages
from toolkit.serve.request_body import ChatBody, ChatMessage, StreamOptions, TemplateOptions, complete_characters

T = TypeVar("T")
SHOWN_CHARACTERS = 100  # of a value that an error quotes
# These would change the answer, and are not implemented. Accepted are null, an empty list or object, and these values,
# which ask for nothing.
UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "n": (1,), "tool_choice": ("none", "auto"), "functions": (), "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},), "logit_bias": (), "presence_penalty": (0,), "frequency_penalty": (0,),
    "repetition_penalty": (1,), "top_k": (-1, 0), "min_p": (0,), "audio": (), "modalities": (["text"],),
    "prediction": (), "reasoning_effort": ("none",), "verbosity": ("medium",), "web_search_options": (),
}  # fmt: skip
UNSUPPORTED_IN_MESSAGES: dict[str, tuple[Any, ...]] = {
    "name": ("",), "function_call": (), "audio": (), "refusal": (), "annotations": (),
}  # fmt: skip
UNSUPPORTED_IN_STREAMS: dict[str, tuple[Any, ...]] = {
    "include_obfuscation": (False,), "continuous_usage_stats": (False,)
}  # fmt: skip
INNER: Mapping[str, type[BaseModel]] = {"stream_options": StreamOptions, "chat_template_kwargs": TemplateOptions}
# These say who asks and how it is filed; `seed` without batches of its own could promise nothing.
WITHOUT_EFFECT = frozenset({
    "seed", "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
    "prompt_cache_retention", "parallel_tool_calls",
})  # fmt: skip


class RequestError(Exception):
    """The reply to a request that cannot be answered: an HTTP status, and OpenAI's error object."""

    def __init__(self, status: int, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param

    def to_dict(self) -> dict[str, Any]:
        kind = "server_error" if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def stopping() -> RequestError:
    """What a client gets for an answer that the end of the server cut off."""
    return RequestError(503, "The server is stopping.", code="server_stopping")


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """A question that can be answered. Greedy unless a temperature is given, as everywhere else in the toolkit."""

    model: str
    messages: Messages
    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    top_logprobs: int | None = None  # None: no log probabilities at all
    calls: bool = False  # whether the model may call tools, so that its calls are not text
    thinking: bool = False  # the answer may begin with a thought, which is not its text


def read_request(
    body: bytes, *, names: Sequence[str], system: str, max_new_tokens: int, thinks: bool = False
) -> ChatRequest:
    """`system` goes before messages that have no system message; `max_new_tokens` is the longest answer.

    `thinks`: the models answer after a thought, unless the request switches that off. Raises RequestError.
    """
    fields = _json_object(body)
    name = fields.get("model")
    if not isinstance(name, str) or name not in names:
        raise RequestError(
            404, f"No model {_shown(name)} here. There are: {', '.join(names)}.", code="model_not_found", param="model"
        )
    _require_supported(fields, ChatBody, UNSUPPORTED, "")
    if isinstance(options := fields.get("stream_options"), dict):
        _require_supported(options, StreamOptions, UNSUPPORTED_IN_STREAMS, "stream_options.")
    if isinstance(options := fields.get("chat_template_kwargs"), dict):
        _require_supported(options, TemplateOptions, {}, "chat_template_kwargs.")
    try:
        chat = ChatBody.model_validate(fields)
    except ValidationError as error:
        raise _invalid(error) from error
    for at, given in enumerate(fields["messages"]):
        named = {"name": None} if given["role"] == "tool" else {}  # a result's name is that of the call before
        _require_supported({**given, **named}, ChatMessage, UNSUPPORTED_IN_MESSAGES, f"messages[{at}].")
    longest = chat.max_completion_tokens or chat.max_tokens or max_new_tokens
    messages = _messages(chat.messages, thinks=thinks)
    if messages[0]["role"] != "system":
        messages = system_messages(system) + messages
    tools = "" if fields.get("tool_choice") == "none" else _tools(chat)
    wanted = None if chat.chat_template_kwargs is None else chat.chat_template_kwargs.enable_thinking
    thinking = thinks and wanted is not False
    return ChatRequest(
        model=name,
        messages=[*(THINKING if thinking else []), *tools_messages(tools), *messages],
        max_new_tokens=min(longest, max_new_tokens),
        temperature=chat.temperature or 0.0,
        top_p=1.0 if chat.top_p is None else chat.top_p,
        stop=tuple(chat.stop),
        stream=bool(chat.stream),
        include_usage=bool(chat.stream_options and chat.stream_options.include_usage),
        top_logprobs=(chat.top_logprobs or 0) if chat.logprobs else None,
        calls=bool(tools),
        thinking=thinking,
    )


def _messages(given: Sequence[ChatMessage], *, thinks: bool) -> Messages:
    """As chat templates take them, the results of calls in the order of the calls. Raises RequestError.

    `thinks`: thoughts before earlier answers are handed to the template, which decides which of them are read.
    """
    found: Messages = []
    ids: list[str | None] = []
    for is_result, group in groupby(enumerate(given), key=lambda one: one[1].role == "tool"):
        several = list(group)
        if is_result:
            results = [(one.tool_call_id, _message(one, at, thinks=thinks)) for at, one in several]
            found += in_order_of_calls(results, ids)
        else:
            found += [_message(one, at, thinks=thinks) for at, one in several]
            ids = [call.get("id") for call in several[-1][1].tool_calls or []]
    return found


def _message(given: ChatMessage, at: int, *, thinks: bool) -> dict[str, Any]:
    where = f"messages[{at}]"
    if given.tool_calls and given.role != "assistant":
        raise _wrong(f"{where}.tool_calls", f"has calls, and its message is the {given.role}'s")
    if "content" not in given.model_fields_set and not given.tool_calls:
        raise _wrong(f"{where}.content", "must be text; this model reads nothing else")
    thought = given.reasoning_content if thinks and given.role == "assistant" else None
    message: dict[str, Any] = {"role": given.role, "content": with_thought(thought or None, given.content)}
    if given.tool_calls:
        param = f"{where}.tool_calls"
        calls = _checked(param, lambda: list(read_calls(given.tool_calls, param)))
        _require_complete(param, "".join(call.name + call.arguments for call in calls))
        message["tool_calls"] = [call.for_template() for call in calls]
    return message


def _tools(chat: ChatBody) -> str:
    """The tools that the model may call, as chat templates take them. Raises RequestError."""
    tools = _checked("tools", lambda: read_tools(chat.tools or [], "tools"))
    _require_complete("tools", tools)
    return tools


def _checked(param: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except RowFault as fault:
        raise RequestError(400, f"{fault.why}: {fault.remedy}.", code="invalid_value", param=param) from None


def _require_complete(param: str, text: str) -> None:
    try:
        complete_characters(text)
    except ValueError as error:
        raise RequestError(400, f"{param}: {error}", code="invalid_value", param=param) from None


def _wrong(param: str, fault: str) -> RequestError:
    return RequestError(400, f"{param} {fault}.", code="invalid_value", param=param)


def _require_supported(
    fields: dict[str, Any], model: type[BaseModel], unsupported: Mapping[str, tuple[Any, ...]], where: str
) -> None:
    """Raises RequestError for a field that is not known, or that would change the answer and is not implemented."""
    for field, value in fields.items():
        if field in model.model_fields or (model is ChatBody and field in WITHOUT_EFFECT):
            continue
        if field not in unsupported:
            name = f"{where}{field[:SHOWN_CHARACTERS]}"
            raise RequestError(400, f"There is no field {name} here.", code="unsupported_parameter", param=name)
        is_empty = value is None or value in ([], {})
        if not is_empty and not any(_same(value, one) for one in unsupported[field]):
            name = f"{where}{field}"
            raise RequestError(
                400, f"{name} is not supported here. Leave it out.", code="unsupported_parameter", param=name
            )


def _same(value: Any, one: Any) -> bool:
    """Equal, where true is not 1."""
    return bool(value == one) and isinstance(value, bool) == isinstance(one, bool)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise RequestError(400, f"The body is not JSON: {error}.", code="invalid_json") from error
    if not isinstance(fields, dict):
        raise RequestError(400, "The body must be a JSON object.", code="invalid_json")
    return fields


def _invalid(error: ValidationError) -> RequestError:
    """The first fault: which field, and what is allowed there."""
    fault = error.errors(include_url=False, include_input=False)[0]
    model: type[BaseModel] = ChatBody
    param, allowed = "", ""
    for step in fault["loc"]:
        if isinstance(step, str):
            param, allowed = f"{param}.{step}".lstrip("."), str(model.model_fields[step].description)
            model = INNER.get(step, model)
        elif param == "messages":
            param, allowed, model = f"messages[{step}]", "an object with role and content", ChatMessage
    is_own = fault["type"] == "value_error"
    message = f"{param}: {fault['ctx']['error']}" if is_own else f"{param} must be {allowed}."
    return RequestError(400, message, code="invalid_value", param=param)
