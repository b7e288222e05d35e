"""Tool calls as values: compared as JSON, and read from an answer in which the model wrote them. Pure.

The form of an answer is Qwen2.5's, which is that of Hermes: a JSON object between <tool_call> and </tool_call>.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BEGIN, END = "<tool_call>", "</tool_call>"
DEEPEST = 64  # levels of lists and objects within tools and arguments
FENCED = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
CALL = re.compile(rf"{BEGIN}(.*?){END}", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    name: str
    arguments: str  # a JSON object, as `json_text` writes it

    @property
    def values(self) -> dict[str, Any]:
        """The arguments by their names."""
        return dict(json.loads(self.arguments))

    def to_dict(self) -> dict[str, Any]:
        """In OpenAI's form, whose arguments are a text."""
        return {"type": "function", "function": {"name": self.name, "arguments": self.arguments}}

    def for_template(self) -> dict[str, Any]:
        """As chat templates take it: arguments as an object."""
        return {"type": "function", "function": {"name": self.name, "arguments": self.values}}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer's text beside its calls. `broken`: there is a mark of a call without a call behind it."""

    text: str
    calls: tuple[ToolCall, ...]
    broken: bool


def json_text(value: Any) -> str:
    """As chat templates and ms-swift write JSON: other letters than ASCII as they are."""
    return json.dumps(value, ensure_ascii=False)


def written(call: ToolCall) -> str:
    """As a model writes the call into its answer."""
    return f'{BEGIN}\n{{"name": {json_text(call.name)}, "arguments": {call.arguments}}}\n{END}'


def reply_of(answer: str) -> Reply:
    """What an answer says, and what it calls."""
    found = [call_of(match[1]) for match in CALL.finditer(answer)]
    text = CALL.sub("", answer)
    broken = None in found or BEGIN in text or END in text
    return Reply(text=text.strip(), calls=tuple(call for call in found if call is not None), broken=broken)


def meant_calls(answer: str) -> Reply:
    """The same, also where the complete answer is a call without the marks, as smaller models write it."""
    reply = reply_of(answer)
    bare = FENCED.sub(r"\1", answer).strip()
    if reply.calls or reply.broken or not bare.startswith("{"):
        return reply
    found = [call_of(line) for line in ([bare] if call_of(bare) else bare.splitlines())]
    calls = tuple(call for call in found if call is not None)
    return Reply(text="", calls=calls, broken=False) if len(calls) == len(found) else reply


def call_of(text: str) -> ToolCall | None:
    """The call that a JSON text makes: an object with a name, and an object of arguments; None if it makes none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not value["name"] or is_deep(value):
        return None
    arguments = value.get("arguments", {})
    return ToolCall(name=value["name"], arguments=json_text(arguments)) if isinstance(arguments, dict) else None


def is_deep(value: Any) -> bool:
    """Whether a JSON value is nested in more than DEEPEST levels."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for one in level if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]  # fmt: skip
    return any(isinstance(one, dict | list) for one in level)


def same_json(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: 3 and 3.0 are, 1 and true are not; the order of keys does not matter."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)


def same_calls(calls: Sequence[ToolCall], others: Sequence[ToolCall]) -> bool:
    """Whether the same functions are called with the same arguments, in any order."""
    left = list(others)
    for call in calls:
        at = next(
            (at for at, one in enumerate(left) if one.name == call.name and same_json(one.values, call.values)), None
        )
        if at is None:
            return False
        del left[at]
    return not left
