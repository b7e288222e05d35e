"""The forms in which models write tool calls, and which of them a chat template writes. Pure.

An answer comes without special tokens: `[TOOL_CALLS]`, `<|tool_call|>` and the like are gone, so that what is left of a
call is its JSON. Everything else in the toolkit knows one form, that of Hermes and Qwen2.5; answers in another are
written again in it, as soon as they are read.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from toolkit.data.tools.calls import BEGIN, ToolCall, call_of, json_text, reply_of, written

NAME = re.compile(r"[A-Za-z_][\w.-]*")
BETWEEN = " \t\r\n;,"  # between calls
DECODER = json.JSONDecoder()


@dataclass(frozen=True, kw_only=True)
class CallForm:
    """`read`: the calls that a complete answer consists of; () for none, or for text that is not a call throughout.

    `may_be`: whether an answer that begins so may still become calls.
    """

    title: str
    read: Callable[[str], tuple[ToolCall, ...]]
    may_be: Callable[[str], bool]

    def as_hermes(self, answer: str) -> str:
        """The answer with its calls, if it is made of calls, as Hermes writes them."""
        calls = () if self is HERMES else self.read(answer)
        return "\n".join(map(written, calls)) if calls else answer


def _hermes(answer: str) -> tuple[ToolCall, ...]:
    reply = reply_of(answer)
    return () if reply.text or reply.broken else reply.calls


def _objects(answer: str) -> tuple[ToolCall, ...]:
    """JSON objects with a name and arguments or parameters, one after another or in a list."""
    found: list[ToolCall | None] = []
    at, end = 0, len(answer.rstrip(BETWEEN))
    try:
        while at < end:
            at += len(answer[at:]) - len(answer[at:].lstrip(BETWEEN))
            value, at = DECODER.raw_decode(answer, at)
            found += [_call(one) for one in (value if isinstance(value, list) else [value])]
    except (ValueError, RecursionError):
        return ()
    calls = tuple(call for call in found if call is not None)
    return calls if len(calls) == len(found) else ()


def _call(value: Any) -> ToolCall | None:
    if isinstance(value, dict) and "arguments" not in value:
        value = {"name": value.get("name"), "arguments": value.get("parameters")}
    return call_of(json_text(value))


def _named(answer: str) -> tuple[ToolCall, ...]:
    """A name and then the JSON object of its arguments, one after another."""
    calls: list[ToolCall] = []
    at, end = 0, len(answer.rstrip(BETWEEN))
    while at < end:
        at += len(answer[at:]) - len(answer[at:].lstrip(BETWEEN))
        if (name := NAME.match(answer, at)) is None:
            return ()
        begin = name.end() + len(answer[name.end() :]) - len(answer[name.end() :].lstrip())
        try:
            value, at = DECODER.raw_decode(answer, begin)
        except (ValueError, RecursionError):
            return ()
        if not isinstance(value, dict) or (call := call_of(json_text({"name": name[0], "arguments": value}))) is None:
            return ()
        calls.append(call)
    return tuple(calls)


HERMES = CallForm(title="<tool_call>", read=_hermes, may_be=lambda text: text.lstrip().startswith(BEGIN[:1]))
OBJECTS = CallForm(title="JSON", read=_objects, may_be=lambda text: text.lstrip()[:1] in {"", "{", "["})
NAMED = CallForm(
    title="a name and JSON", read=_named,
    may_be=lambda text: re.fullmatch(rf"\s*(?:{NAME.pattern}\s*(?:\{{.*)?)?", text, re.DOTALL) is not None,
)  # fmt: skip
FORMS = (HERMES, OBJECTS, NAMED)


def form_of(answer: str, call: ToolCall) -> CallForm | None:
    """The form in which a chat template writes this call into an answer; None for one that is not known."""
    return next((form for form in FORMS if form.read(answer.strip()) == (call,)), None)
