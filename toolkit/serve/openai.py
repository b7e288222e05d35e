"""What a client asks, in the shape of OpenAI's chat completions, and the error it gets for what cannot be answered.

Reference: https://platform.openai.com/docs/api-reference/chat/create
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from toolkit.model.conversation import Messages, system_messages

MAX_STOPS, MAX_TOP_LOGPROBS, MAX_TEMPERATURE = 4, 20, 2.0
# These would change the answer, and are not implemented. Accepted are an empty value and the one that asks for nothing.
UNSUPPORTED = {
    "n": 1, "tools": None, "functions": None, "response_format": {"type": "text"}, "logit_bias": None,
    "presence_penalty": 0, "frequency_penalty": 0, "repetition_penalty": 1, "top_k": -1, "min_p": 0, "audio": None,
    "modalities": ["text"], "prediction": None,
}  # fmt: skip


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
    """One text of OpenAI's list of parts, provided that each part is text; anything else as it is."""
    if not isinstance(content, list):
        return content
    texts: list[str] = []
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            return content
        texts.append(part["text"])
    return "".join(texts)


def _complete_characters(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("It contains half a character (a lone surrogate).")
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
    messages: list[ChatMessage] = Field(min_length=1, description="a list of messages that is not empty")
    max_completion_tokens: int | None = Field(None, ge=1, description="a whole number, 1 or more")
    max_tokens: int | None = Field(None, ge=1, description="a whole number, 1 or more")
    temperature: float | None = Field(
        None, ge=0, le=MAX_TEMPERATURE, description=f"a number from 0 to {MAX_TEMPERATURE:g}"
    )
    top_p: float | None = Field(None, ge=0, le=1, description="a number from 0 to 1")
    stop: Annotated[
        list[Annotated[str, Field(min_length=1)]],
        BeforeValidator(lambda stop: [stop] if isinstance(stop, str) else stop or []),
        Field(max_length=MAX_STOPS, description=f"a text, or a list of at most {MAX_STOPS}, none of them empty"),
    ] = []
    stream: bool | None = Field(None, description="a boolean")
    stream_options: StreamOptions | None = Field(None, description="a JSON object")
    logprobs: bool | None = Field(None, description="a boolean")
    top_logprobs: int | None = Field(
        None, ge=0, le=MAX_TOP_LOGPROBS, description=f"a whole number from 0 to {MAX_TOP_LOGPROBS}"
    )

    @field_validator("messages", mode="after")
    @classmethod
    def _take_turns(cls, messages: list[ChatMessage]) -> list[ChatMessage]:
        roles = [message.role for message in messages]
        turns = roles[1:] if roles[0] == "system" else roles
        if not turns or turns != [("user", "assistant")[index % 2] for index in range(len(turns))]:
            raise ValueError("After an optional system message, user and assistant must take turns, user first.")
        if turns[-1] != "user":
            raise ValueError("The last message must be the user's.")
        return messages


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
            404, f"No model {name!r} here. There are: {', '.join(names)}.", code="model_not_found", param="model"
        )
    for field, neutral in UNSUPPORTED.items():
        if fields.get(field) and fields[field] != neutral:
            raise RequestError(
                400, f"{field} is not supported here. Leave it out.", code="unsupported_parameter", param=field
            )
    try:
        chat = ChatBody.model_validate(fields)
    except ValidationError as error:
        raise _invalid(error) from error
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
