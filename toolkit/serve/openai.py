"""What a client asks, as OpenAI's chat completions have it, and what it is told when it asks wrongly. Pure.

Reference: https://platform.openai.com/docs/api-reference/chat/create
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from toolkit.model.conversation import Messages, system_messages

ROLES = ("system", "user", "assistant")
MAX_STOPS, MAX_TOP_LOGPROBS, MAX_TEMPERATURE = 4, 20, 2.0
# They would change the answer, and nothing here does what they ask; an empty value or this one asks for nothing.
UNSUPPORTED = {
    "n": 1, "tools": None, "functions": None, "response_format": {"type": "text"}, "logit_bias": None,
    "presence_penalty": 0, "frequency_penalty": 0, "audio": None, "modalities": ["text"], "prediction": None,
}  # fmt: skip


class RequestError(Exception):
    """What the client is told: an HTTP status, and OpenAI's error object."""

    def __init__(self, status: int, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param

    def to_dict(self) -> dict[str, Any]:
        kind = "server_error" if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True, kw_only=True)
class ChatAsked:
    """A question that can be answered. Greedy unless a temperature is named, as everything else in the toolkit."""

    model: str
    messages: Messages
    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    top_logprobs: int | None = None  # None: no logprobs at all


def read_request(body: bytes, *, names: Sequence[str], system: str, max_new_tokens: int) -> ChatAsked:
    """`system` is put before messages that have none; `max_new_tokens` is the longest answer. Raises RequestError."""
    asked = _object(body)
    model = asked.get("model")
    if not isinstance(model, str) or model not in names:
        raise RequestError(
            404, f"No model {model!r} here. There are: {', '.join(names)}.", code="model_not_found", param="model"
        )
    for name, nothing in UNSUPPORTED.items():
        if asked.get(name) and asked[name] != nothing:
            raise _wrong(name, f"{name} is not supported here. Leave it out.", code="unsupported_parameter")
    longest = asked.get("max_completion_tokens")
    longest = asked.get("max_tokens") if longest is None else longest
    logprobs = bool(_typed(asked, "logprobs", bool, default=False))
    return ChatAsked(
        model=model,
        messages=_messages(asked.get("messages"), system),
        max_new_tokens=max_new_tokens if longest is None else min(_count(longest, "max_tokens"), max_new_tokens),
        temperature=_number(asked, "temperature", default=0.0, low=0.0, high=MAX_TEMPERATURE),
        top_p=_number(asked, "top_p", default=1.0, low=0.0, high=1.0),
        stop=_stop(asked.get("stop")),
        stream=bool(_typed(asked, "stream", bool, default=False)),
        include_usage=bool((_typed(asked, "stream_options", dict, default={}) or {}).get("include_usage")),
        top_logprobs=int(_number(asked, "top_logprobs", default=0, low=0, high=MAX_TOP_LOGPROBS)) if logprobs else None,
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise RequestError(400, f"The body is no JSON: {error}.", code="invalid_json") from error
    if not isinstance(asked, dict):
        raise RequestError(400, "The body is no JSON object.", code="invalid_json")
    return asked


def _messages(given: Any, system: str) -> Messages:
    if not isinstance(given, list) or not given:
        raise _wrong("messages", "messages must be a list that is not empty.")
    messages = [_message(one, at) for at, one in enumerate(given)]
    has_system = messages[0]["role"] == "system"
    turns = messages[1:] if has_system else messages
    if [one["role"] for one in turns] != [("user", "assistant")[at % 2] for at in range(len(turns))] or not turns:
        raise _wrong("messages", "Behind a first system message, user and assistant must take turns, user first.")
    if turns[-1]["role"] != "user":
        raise _wrong("messages", "The last message must be the user's.")
    return messages if has_system else [*system_messages(system), *messages]


def _message(given: Any, at: int) -> dict[str, str]:
    where = f"messages[{at}]"
    if not isinstance(given, dict):
        raise _wrong(where, f"{where} must be an object with role and content.")
    role = "system" if given.get("role") == "developer" else given.get("role")
    if role not in ROLES:
        raise _wrong(f"{where}.role", f"{where}.role must be one of {', '.join(ROLES)}.")
    return {"role": role, "content": _text(given.get("content"), f"{where}.content")}


def _text(content: Any, where: str) -> str:
    """Plain text, or OpenAI's list of parts as long as each of them is text."""
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [one.get("text") if isinstance(one, dict) and one.get("type") == "text" else None for one in parts]
    if not all(isinstance(text, str) for text in texts):
        raise _wrong(where, f"{where} must be text; this model reads nothing else.")
    joined = "".join(str(text) for text in texts)
    if any("\ud800" <= sign <= "\udfff" for sign in joined):
        raise _wrong(where, f"{where} holds half a character (a lone surrogate).")
    return joined


def _stop(given: Any) -> tuple[str, ...]:
    stops = [given] if isinstance(given, str) else given or []
    if not isinstance(stops, list) or len(stops) > MAX_STOPS or not all(isinstance(one, str) and one for one in stops):
        raise _wrong("stop", f"stop must be a text, or a list of at most {MAX_STOPS}, none of them empty.")
    return tuple(stops)


def _typed(asked: Mapping[str, Any], name: str, kind: type, *, default: Any) -> Any:
    value = asked.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise _wrong(name, f"{name} must be a {'boolean' if kind is bool else 'JSON object'}.")
    return value


def _number(asked: Mapping[str, Any], name: str, *, default: float, low: float, high: float) -> float:
    value = asked.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _wrong(name, f"{name} must be a number from {low:g} to {high:g}.")
    return float(value)


def _count(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _wrong(name, f"{name} must be a whole number, 1 or more.")
    return value


def _wrong(param: str, message: str, *, code: str = "invalid_value") -> RequestError:
    return RequestError(400, message, code=code, param=param)


class UpToStop:
    """Cuts an answer before the first of the stop texts, also where one comes in several pieces."""

    def __init__(self, stop: Sequence[str]) -> None:
        self.stop = tuple(stop)
        self.held = ""  # may be the beginning of a stop text
        self.stopped = False

    def __call__(self, piece: str, *, last: bool = False) -> str:
        """What of the answer may be told now; `last`: nothing will follow."""
        if self.stopped:
            return ""
        text = self.held + piece
        if found := [at for at in (text.find(one) for one in self.stop) if at >= 0]:
            self.stopped, self.held = True, ""
            return text[: min(found)]
        kept = 0 if last else max((self._beginning(text, one) for one in self.stop), default=0)
        self.held = text[len(text) - kept :]
        return text[: len(text) - kept]

    @staticmethod
    def _beginning(text: str, stop: str) -> int:
        """How many characters at the end of the text the stop text begins with."""
        return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)
