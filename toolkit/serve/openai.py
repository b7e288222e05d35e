"""What a client asks, in the shape of OpenAI's chat completions, and the error it gets for what cannot be answered.

Reference: https://platform.openai.com/docs/api-reference/chat/create
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, FailFast, Field, ValidationError

from toolkit.model.conversation import Messages, system_messages

MAX_STOPS, MAX_STOP_CHARACTERS, MAX_TOP_LOGPROBS, MAX_TEMPERATURE, MAX_MESSAGES = 4, 1000, 20, 2.0, 2048
SHOWN_CHARACTERS = 100  # of a value that an error quotes
# These would change the answer, and are not implemented. Accepted are null, an empty list or object, and these values,
# which ask for nothing.
UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "n": (1,), "tools": (), "tool_choice": ("none", "auto"), "functions": (), "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},), "logit_bias": (), "presence_penalty": (0,), "frequency_penalty": (0,),
    "repetition_penalty": (1,), "top_k": (-1, 0), "min_p": (0,), "audio": (), "modalities": (["text"],),
    "prediction": (), "reasoning_effort": ("none",), "verbosity": ("medium",), "web_search_options": (),
}  # fmt: skip
UNSUPPORTED_IN_MESSAGES: dict[str, tuple[Any, ...]] = {
    "name": ("",), "tool_calls": (), "tool_call_id": (), "function_call": (), "audio": (), "refusal": (),
    "annotations": (), "reasoning_content": (),
}  # fmt: skip
UNSUPPORTED_IN_STREAMS: dict[str, tuple[Any, ...]] = {
    "include_obfuscation": (False,), "continuous_usage_stats": (False,)
}  # fmt: skip
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


def _joined(content: Any) -> Any:
    """One text of OpenAI's list of parts, provided that each part is text; of null, the empty text; else as it is."""
    if content is None:
        return ""
    if not isinstance(content, list):
        return content
    texts: list[str] = []
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            return content
        texts.append(part["text"])
    return "".join(texts)


def _complete_characters(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("It contains half a character (a lone surrogate).") from None
    return text


class _Body(BaseModel):
    """Values are not converted: "1" is not a number. A field's description says what is allowed, in its error."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")


class ChatMessage(_Body):
    role: Annotated[
        Literal["system", "user", "assistant"],
        BeforeValidator(lambda role: "system" if role == "developer" else role),
        Field(description="one of system, user, assistant"),
    ]
    content: Annotated[
        str, BeforeValidator(_joined), AfterValidator(_complete_characters),
        Field(description="text; this model reads nothing else"),
    ]  # fmt: skip


class StreamOptions(_Body):
    include_usage: bool | None = Field(None, description="a boolean")


class ChatBody(_Body):
    """The JSON object of a request, as far as it is read here. None stands for a field's default."""

    model: str
    messages: Annotated[list[ChatMessage], FailFast()] = Field(
        min_length=1, max_length=MAX_MESSAGES, description=f"a list of 1 to {MAX_MESSAGES} messages"
    )
    max_completion_tokens: int | None = Field(None, ge=1, description="a whole number, 1 or more")
    max_tokens: int | None = Field(None, ge=1, description="a whole number, 1 or more")
    temperature: float | None = Field(
        None, ge=0, le=MAX_TEMPERATURE, description=f"a number from 0 to {MAX_TEMPERATURE:g}"
    )
    top_p: float | None = Field(None, ge=0, le=1, description="a number from 0 to 1")
    stop: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]],
        BeforeValidator(lambda stop: [stop] if isinstance(stop, str) else [] if stop is None else stop),
        Field(
            max_length=MAX_STOPS,
            description=f"a text of 1 to {MAX_STOP_CHARACTERS} characters, or a list of at most {MAX_STOPS}",
        ),
    ] = []
    stream: bool | None = Field(None, description="a boolean")
    stream_options: StreamOptions | None = Field(None, description="a JSON object")
    logprobs: bool | None = Field(None, description="a boolean")
    top_logprobs: int | None = Field(
        None, ge=0, le=MAX_TOP_LOGPROBS, description=f"a whole number from 0 to {MAX_TOP_LOGPROBS}"
    )


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


def read_request(body: bytes, *, names: Sequence[str], system: str, max_new_tokens: int) -> ChatRequest:
    """`system` goes before messages that have no system message; `max_new_tokens` is the longest answer.

    Raises RequestError.
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
    try:
        chat = ChatBody.model_validate(fields)
    except ValidationError as error:
        raise _invalid(error) from error
    for at, given in enumerate(fields["messages"]):
        _require_supported(given, ChatMessage, UNSUPPORTED_IN_MESSAGES, f"messages[{at}].")
    longest = chat.max_completion_tokens or chat.max_tokens or max_new_tokens
    messages = [message.model_dump() for message in chat.messages]
    if messages[0]["role"] != "system":
        messages = system_messages(system) + messages
    return ChatRequest(
        model=name,
        messages=messages,
        max_new_tokens=min(longest, max_new_tokens),
        temperature=chat.temperature or 0.0,
        top_p=1.0 if chat.top_p is None else chat.top_p,
        stop=tuple(chat.stop),
        stream=bool(chat.stream),
        include_usage=bool(chat.stream_options and chat.stream_options.include_usage),
        top_logprobs=(chat.top_logprobs or 0) if chat.logprobs else None,
    )


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
            model = StreamOptions if step == "stream_options" else model
        elif param == "messages":
            param, allowed, model = f"messages[{step}]", "an object with role and content", ChatMessage
    is_own = fault["type"] == "value_error"
    message = f"{param}: {fault['ctx']['error']}" if is_own else f"{param} must be {allowed}."
    return RequestError(400, message, code="invalid_value", param=param)
