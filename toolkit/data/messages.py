"""Turns one item of a conversation into messages: roles, loss flags, content in parts. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from toolkit.data.keys import LOSS_KEYS, is_trained, require_plain_message, unread_in_message
from toolkit.data.records import Doubled, RowFault, kind_of

ROLES = {
    "system": "system",
    "user": "user", "human": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant",
}  # fmt: skip
TOOL_ROLES = frozenset({
    "tool", "function", "tool_call", "tool_calls", "tool_response", "function_call", "observation", "ipython",
})  # fmt: skip
PAIRS = (("role", "content"), ("from", "value"))
EXCHANGE = ("system", "input", "output")  # a turn of XTuner


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    role: str  # system | user | assistant
    content: str
    trained: bool = True  # an assistant's message that is not is read, but not learned

    def to_dict(self) -> dict[str, Any]:
        """As in a file of rows, and as ms-swift's templates take it."""
        return {"role": self.role, "content": self.content} | ({} if self.trained else {"loss": False})


def messages_of_turn(turn: Any, where: str) -> list[Message]:
    """One message, or a question with its answer where a turn has both. Raises RowFault."""
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
        trained = role != "assistant" or is_trained(turn, where)
        if key != "system" or turn[key]:  # XTuner's first turn may have an empty one
            messages.append(Message(role=role, content=text_of(turn[key], where), trained=trained))
    return messages


def unread_of_turn(turn: Any) -> Iterator[str]:
    """The keys of a readable turn that are not used."""
    if isinstance(turn, Mapping):
        named = _named(turn)
        read = tuple(key for pair in PAIRS for key in pair) if len(named) == 1 else tuple(key for _, key in named)
        roles = {ROLES.get(str(role).lower(), "") for role, _ in named}
        yield from unread_in_message(turn, read, "assistant" if "assistant" in roles else "".join(sorted(roles)))


def _named(turn: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """(role, key of the text) of each message in a turn."""
    for role_key, content_key in PAIRS:
        if role_key in turn and content_key in turn:
            return [(turn[role_key], content_key)]
    if "input" in turn and "output" in turn:
        return [(role, key) for role, key in zip(("system", "user", "assistant"), EXCHANGE, strict=True) if key in turn]
    return [(key, key) for key in turn if key in ROLES]  # {"human": …, "assistant": …}


def _role(value: Any, where: str) -> str:
    name = value.lower() if isinstance(value, str) else None
    if name in TOOL_ROLES:
        raise RowFault(f"{where} has the role {value!r}: tool calls are not trained yet", "delete the row")
    if name is None or name not in ROLES:
        raise RowFault(f"{where} has the unknown role {value!r}", "use system, user and assistant (or human and gpt)")
    return ROLES[name]


def text_of(value: Any, where: str) -> str:
    """A text, or the text parts of a list of parts. Raises RowFault."""
    if isinstance(value, list) and value and all(isinstance(part, dict) and "type" in part for part in value):
        return "".join(_part(part, where) for part in value)
    if not isinstance(value, str):
        raise RowFault(f"{where} is {kind_of(value)}, not a string", "write it as text in double quotes")
    return value


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


def unusual_order(messages: Sequence[Message]) -> str | None:
    """How the turns differ from user and assistant in turn, after at most one system message; None if they do not."""
    turns = messages[1:] if messages[0].role == "system" else messages
    roles = [message.role for message in turns]
    if "system" in roles:
        return "a system message between turns"
    if roles[0] == "assistant":
        return "an answer before any question"
    repeated = next((one for one, other in pairwise(roles) if one == other), None)
    return None if repeated is None else f"two turns of the {repeated} in a row"
