"""Turns the items of a conversation into messages: roles, loss flags, content in parts, tool calls. Pure."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Any

from toolkit.core.text import divided, with_thought
from toolkit.data.keys import (
    CALL_KEYS,
    LOSS_KEYS,
    LOSS_PARTS,
    REFUSED_KEYS,
    THOUGHT_KEYS,
    is_trained,
    meaningful,
    plain_name,
    require_plain_message,
    unread_in_message,
    with_names,
)
from toolkit.data.records import Doubled, RowFault, as_written, kind_of
from toolkit.data.tools.calls import ToolCall, written
from toolkit.data.tools.reading import in_order_of_calls, read_calls, sound_text

ROLES = {
    "system": "system",
    "user": "user", "human": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant",
    # A call that is a turn of its own: OpenAI, and chat templates, have it in the assistant's.
    "tool_call": "call", "tool_calls": "call", "function_call": "call",
    "tool": "tool", "function": "tool", "tool_response": "tool", "function_response": "tool", "observation": "tool",
    "observations": "tool", "ipython": "tool",
}  # fmt: skip
ID_KEYS = ("tool_call_id", "name", "id")  # of a result: which call it belongs to
WRAPPED = re.compile(r"\s*<tool_response>\n?((?:(?!<tool_response>).)*?)\n?</tool_response>\s*", re.DOTALL)
PAIRS = (("role", "content"), ("from", "value"))
EXCHANGE = ("system", "input", "output")  # a turn of XTuner
TURN_KEYS = frozenset({
    *ROLES, *(key for pair in PAIRS for key in pair), *EXCHANGE, *ID_KEYS, *CALL_KEYS, *LOSS_KEYS, *LOSS_PARTS,
    *THOUGHT_KEYS, *REFUSED_KEYS,
})  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    role: str  # system | user | assistant | tool
    content: str
    trained: bool = True  # an assistant's message that is not is read, but not learned
    thought: str | None = None  # of the assistant's, before its content; "": an empty one, which is learned as such
    calls: tuple[ToolCall, ...] = ()  # of an assistant's message, after its content

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything in it that somebody wrote."""
        calls = [text for call in self.calls for text in (call.name, call.arguments)] if self.calls else ()
        return (self.thought, self.content, *calls) if self.thought else (self.content, *calls)

    def to_dict(self) -> dict[str, Any]:
        """As in a file of rows, and as ms-swift's templates take it."""
        calls = {"tool_calls": [call.to_dict() for call in self.calls]} if self.calls else {}
        content = with_thought(self.thought, self.content)
        return {"role": self.role, "content": content} | calls | ({} if self.trained else {"loss": False})

    def for_template(self) -> dict[str, Any]:
        """As the chat templates of models take it, but for its flag."""
        calls = {"tool_calls": [call.for_template() for call in self.calls]} if self.calls else {}
        return self.to_dict() | calls


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A conversation that ends with the answer, mostly an optional system message, then user and assistant in turn."""

    number: int  # 1-based: the row of a JSON list or CSV, the line of a JSONL file
    messages: tuple[Message, ...]
    tools: str = ""  # what may be called: a JSON list in OpenAI's form, "" without any

    @property
    def prompt(self) -> str:
        """The last question; "" in a conversation without any."""
        return next((one.content for one in reversed(self.messages) if one.role == "user"), "")

    @property
    def answer(self) -> str:
        """The last message's text after its thought, and its calls as a model writes them."""
        last = self.messages[-1]
        return "\n".join([*filter(None, [last.content]), *map(written, last.calls)])

    @property
    def of_one_turn(self) -> bool:
        """Whether it is one question and its answer in words, with or without a system message, and without tools."""
        one_turn = len(self.messages) == (2 if self.system is None else 3) and self.messages[-2].role == "user"
        return one_turn and not self.tools and not self.messages[-1].calls

    def to_dict(self) -> dict[str, Any]:
        """As a line of a file of rows."""
        tools = {"tools": json.loads(self.tools)} if self.tools else {}
        return {"messages": [message.to_dict() for message in self.messages], **tools}

    @property
    def system(self) -> str | None:
        return self.messages[0].content if self.messages[0].role == "system" else None


def conversation_of(turns: Iterable[Any], name: str) -> list[Message]:
    """The messages of the turns in a list of this name; results in the order of the calls before. Raises RowFault."""
    found: list[tuple[Message, Sequence[str | None]]] = []  # with ids: of its calls, or of the call that it answers
    for number, turn in enumerate(map(_with_plain_keys, turns), start=1):
        where = f"{name!r} item {number}"
        for message in messages_of_turn(turn, where):
            ids = _ids(turn)
            if message.role == "call" and found and found[-1][0].role == "assistant":
                before, earlier = found.pop()
                found.append((_with_calls(before, message, where), [*earlier, *ids]))
            else:
                found.append((replace(message, role="assistant") if message.role == "call" else message, ids))
    return list(_ordered(found))


def _with_plain_keys(turn: Any) -> Any:
    """A turn with its keys as they are written here: `Role` is `role`, `Weight` is `weight`. Raises RowFault."""
    return with_names(turn, _turn_key) if isinstance(turn, dict) and not isinstance(turn, Doubled) else turn


def _turn_key(key: str) -> str:
    name = plain_name(key)
    return name if name in TURN_KEYS else key


def _ids(turn: Mapping[str, Any]) -> Sequence[str | None]:
    calls = turn.get("tool_calls")
    if isinstance(calls, list):
        return [call.get("id") if isinstance(call, dict) else None for call in calls]
    return [turn.get("tool_call_id")]


def _with_calls(message: Message, further: Message, where: str) -> Message:
    if message.trained != further.trained:
        raise RowFault(f"{where} is trained, and the part of the answer before it is not, or the reverse",
                       "give both the same flag")  # fmt: skip
    return replace(message, calls=(*message.calls, *further.calls))


def _ordered(found: Sequence[tuple[Message, Sequence[str | None]]]) -> Iterator[Message]:
    expected: Sequence[str | None] = ()
    for is_result, group in groupby(found, key=lambda one: one[0].role == "tool"):
        several = list(group)
        if is_result:
            yield from in_order_of_calls([(ids[0], message) for message, ids in several], expected)
        else:
            yield from (message for message, _ in several)
            expected = several[-1][1]


def messages_of_turn(turn: Any, where: str) -> list[Message]:
    """One message, or a question with its answer where a turn has both; the role of a call may be "call".

    Raises RowFault.
    """
    if not isinstance(turn, dict):
        raise RowFault(f"{where} is {kind_of(turn)}, not an object", 'write it as {"role": …, "content": …}')
    if isinstance(turn, Doubled):
        raise turn.fault(where)
    require_plain_message(turn, where)
    named = _named(turn)
    if not named:
        raise RowFault(f"{where} has neither role and content nor from and value (keys found: {', '.join(turn)})",
                       'write it as {"role": …, "content": …}')  # fmt: skip
    messages = []
    for role_name, key in named:
        role = _role(role_name, where)
        trained = role not in {"assistant", "call"} or is_trained(turn, where)
        if role in {"call", "tool"}:
            messages.append(_tool_turn(role, turn.get(key), where, trained=trained))
            continue
        calls = _calls(turn, role, where)
        if key != "system" or turn[key]:  # XTuner's first turn may have an empty one
            content = "" if calls and turn.get(key) is None else text_of(turn[key], where, numbers=role != "system")
            message = Message(role=role, content=content, trained=trained, calls=calls)
            messages.append(with_own_thought(message, turn, where) if role == "assistant" else message)
    return messages


def with_own_thought(message: Message, found: Mapping[str, Any], where: str) -> Message:
    """The assistant's message with the thought that its text begins with, or that stands beside it. Raises RowFault."""
    beside = [key for key in THOUGHT_KEYS if key in found and meaningful(found[key])]
    if len(beside) > 1:
        raise RowFault(f"{where} has two thoughts: {' and '.join(map(repr, beside))}", "keep one of them")
    thought, rest = divided(message.content)
    if thought is not None and thought.closed:
        if beside and thought.text.strip():
            raise RowFault(f"{where} has two thoughts: in its text and in {beside[0]!r}", "keep one of them")
        message = replace(message, content=rest, thought=thought.text)
    return replace(message, thought=text_of(found[beside[0]], where).strip("\n")) if beside else message


def _tool_turn(role: str, content: Any, where: str, *, trained: bool) -> Message:
    if role == "call":
        calls = tuple(read_calls(content, where))
        return Message(role="call", content="", trained=trained, calls=calls)
    is_text = isinstance(content, str) or (isinstance(content, list) and _are_parts(content))
    text = text_of(content, where) if is_text else sound_text(content, where)
    within = WRAPPED.fullmatch(text)  # as the chat template writes it: it must not do so twice
    return Message(role="tool", content=within[1] if within else text)


def _calls(turn: Mapping[str, Any], role: str, where: str) -> tuple[ToolCall, ...]:
    """Those that a message has beside its text."""
    named = [key for key in CALL_KEYS if meaningful(turn.get(key))]
    if named and role != "assistant":
        raise RowFault(f"{where} has {named[0]!r}, and is the {role}'s", "write the call into the assistant's message")
    return tuple(call for key in named for call in read_calls(turn[key], where))


def unread_of_turn(turn: Any) -> Iterator[str]:
    """The keys of a readable turn that are not used."""
    if isinstance(turn, Mapping):
        turn = _with_plain_keys(turn)
        named = _named(turn)
        read = tuple(key for pair in PAIRS for key in pair) if len(named) == 1 else tuple(key for _, key in named)
        roles = {ROLES.get(str(role).lower(), "") for role, _ in named}
        answers = bool(roles & {"assistant", "call"})
        read = (*read, *((*CALL_KEYS, *THOUGHT_KEYS) if answers else ID_KEYS if "tool" in roles else ()))
        yield from unread_in_message(turn, read, "assistant" if answers else "".join(sorted(roles)))


def _named(turn: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """(role, key of the text) of each message in a turn."""
    for role_key, content_key in PAIRS:
        if role_key in turn and (content_key in turn or any(meaningful(turn.get(key)) for key in CALL_KEYS)):
            return [(turn[role_key], content_key)]
    if "input" in turn and "output" in turn:
        return [(role, key) for role, key in zip(("system", "user", "assistant"), EXCHANGE, strict=True) if key in turn]
    return [(key, key) for key in turn if key in ROLES]  # {"human": …, "assistant": …}


def _role(value: Any, where: str) -> str:
    name = value.lower() if isinstance(value, str) else None
    if name is None or name not in ROLES:
        raise RowFault(f"{where} has the unknown role {value!r}", "use system, user and assistant (or human and gpt)")
    return ROLES[name]


def text_of(value: Any, where: str, *, numbers: bool = True) -> str:
    """A text, the text parts of a list of parts, or with `numbers` a number as its text. Raises RowFault."""
    if isinstance(value, list) and value and _are_parts(value):
        return "".join(_part(part, where) for part in value)
    if not isinstance(text := as_written(value) if numbers else value, str):
        raise RowFault(f"{where} is {kind_of(value)}, not a string", "write it as text in double quotes")
    return text


def _are_parts(value: list[Any]) -> bool:
    return all(isinstance(part, dict) and "type" in part for part in value)


def _part(part: Mapping[str, Any], where: str) -> str:
    if part["type"] != "text" or not isinstance(part.get("text"), str):
        raise RowFault(f"{where} has a part of the type {part['type']!r}; this model reads only text", "delete the row")
    if isinstance(part, Doubled):
        raise part.fault(where)
    return str(part["text"])


def trained_part(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The conversation up to its last trained answer: what follows cannot change what is learned. Raises RowFault."""
    trained = [at for at, message in enumerate(messages) if message.role == "assistant" and message.trained]
    if not trained:
        raise RowFault(f"no answer is trained: each has a flag ({', '.join(LOSS_KEYS[:3])} …) that says so",
                       "delete the row, or the flag of the answer to learn")  # fmt: skip
    return messages[: trained[-1] + 1]


def uses_tools(row: Row) -> bool:
    """Whether a row has tools, calls or results: only a chat template with a place for them renders it."""
    return bool(row.tools) or any(message.calls or message.role == "tool" for message in row.messages)


def unusual_order(messages: Sequence[Message]) -> str | None:
    """How the turns differ from user and assistant in turn, after at most one system message; None if they do not.

    The results of an answer's calls are one turn, in the user's place.
    """
    turns = messages[1:] if messages[0].role == "system" else messages
    if [one.role for one in turns] == ["user", "assistant"]:  # of nearly every row
        return None
    after = zip([None, *turns], turns, strict=False)
    roles = ["user" if one.role == "tool" else one.role
             for before, one in after if before is None or not before.role == one.role == "tool"]  # fmt: skip
    if "system" in roles:
        return "a system message between turns"
    if any(one.role == "tool" != before.role and not before.calls for before, one in pairwise(messages)):
        return "a tool's result that follows no call"
    if roles[0] == "assistant":
        return "an answer before any question"
    repeated = next((one for one, other in pairwise(roles) if one == other), None)
    return None if repeated is None else f"two turns of the {repeated} in a row"
