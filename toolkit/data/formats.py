"""Turns one record into a conversation: alpaca, messages, ShareGPT, query/response. Pure.

Each reader returns the messages of one record, ending with the answer, or raises RowFault.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.data.parsing import LONGEST_ROW, RowFault, kind_of, too_long

ROLES = {
    "system": "system",
    "user": "user", "human": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant",
}  # fmt: skip
QUESTION_KEYS = ("query", "prompt", "question")
ANSWER_KEYS = ("response", "completion", "answer")
CONVERSATION_KEYS = ("conversations", "conversation")
# Control characters except tab and line ends, and lone surrogates, which no tokenizer accepts.
UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    role: str  # system | user | assistant
    content: str


@dataclass(frozen=True, kw_only=True)
class Format:
    name: str
    marks: tuple[str, ...]  # a record with one of these keys is of this format
    keys: tuple[str, ...]  # every key it reads
    shape: str  # as shown in messages
    read: Callable[[Mapping[str, Any]], list[Message]]


def format_of(record: Mapping[str, Any]) -> Format | None:
    """The first format whose mark the record has, the most specific first; None without any."""
    return next((each for each in FORMATS if any(mark in record for mark in each.marks)), None)


def messages_of(record: Mapping[str, Any], format_: Format) -> tuple[Message, ...]:
    """The conversation, its turns in order. Raises RowFault."""
    messages = format_.read(record)
    if (characters := sum(len(message.content) for message in messages)) > LONGEST_ROW:
        raise too_long(characters)
    for message in messages:
        _reject_unwritable(message)
    _reject_disorder(messages)
    return tuple(messages)


def _alpaca(record: Mapping[str, Any]) -> list[Message]:
    parts = [_optional(record, "instruction"), _optional(record, "input")]
    question = "\n".join(part for part in parts if part.strip())
    return _exchange(record, question, "instruction", "output")


def _query_response(record: Mapping[str, Any]) -> list[Message]:
    question_key = next(key for key in (*QUESTION_KEYS, *ANSWER_KEYS) if key in record)
    answer_key = next((key for key in ANSWER_KEYS if key in record), "response")
    if question_key in ANSWER_KEYS:
        raise RowFault("no question", "write it into 'query', or delete the row")
    return _exchange(record, _optional(record, question_key), question_key, answer_key)


def _exchange(record: Mapping[str, Any], question: str, question_key: str, answer_key: str) -> list[Message]:
    if not question.strip():
        raise RowFault(f"{question_key!r} is empty or missing", "write the question, or delete the row")
    if answer_key not in record:
        raise RowFault(f"no answer: {answer_key!r} is missing (keys found: {', '.join(record)})",
                       f"write it into {answer_key!r}, or delete the row")  # fmt: skip
    answer = _optional(record, answer_key)
    if not answer.strip():
        raise RowFault(f"no answer: {answer_key!r} is empty", "write it, or delete the row")
    turns = [*_history(record), ("user", question), ("assistant", answer)]
    return [*_system(record), *(Message(role=role, content=content) for role, content in turns)]


def _history(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    turns: list[tuple[str, str]] = []
    for number, pair in enumerate(_list(record, "history", optional=True), start=1):
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)):  # noqa: PLR2004  # a pair
            raise RowFault(f"'history' item {number} is not a pair of strings",
                           'write it as ["question", "answer"]')  # fmt: skip
        turns += [("user", pair[0]), ("assistant", pair[1])]
    return turns


def _messages(record: Mapping[str, Any]) -> list[Message]:
    return _conversation(record, "messages")


def _sharegpt(record: Mapping[str, Any]) -> list[Message]:
    return _conversation(record, next(key for key in CONVERSATION_KEYS if key in record))


def _conversation(record: Mapping[str, Any], key: str) -> list[Message]:
    turns = [
        message
        for number, turn in enumerate(_list(record, key), start=1)
        for message in _turn(turn, f"{key!r} item {number}")
    ]
    system = _system(record)
    if system and turns and turns[0].role == "system":
        raise RowFault(f"two system prompts: in 'system' and in {key!r}", "keep one of them")
    return [*system, *turns]


def _turn(turn: Any, where: str) -> list[Message]:
    if not isinstance(turn, dict):
        raise RowFault(f"{where} is {kind_of(turn)}, not an object", 'write it as {"role": …, "content": …}')
    for role_key, content_key in (("role", "content"), ("from", "value")):
        if role_key in turn and content_key in turn:
            return [Message(role=_role(turn[role_key], where), content=_text(turn[content_key], where))]
    named = [key for key in turn if key in ROLES]  # {"human": …, "assistant": …}: a question with its answer
    if not named:
        raise RowFault(f"{where} has neither role and content nor from and value (keys found: {', '.join(turn)})",
                       'write it as {"role": …, "content": …}')  # fmt: skip
    return [Message(role=ROLES[key], content=_text(turn[key], where)) for key in named]


def _role(value: Any, where: str) -> str:
    role = ROLES.get(value.lower()) if isinstance(value, str) else None
    if role is None:
        raise RowFault(f"{where} has the unknown role {value!r}", "use system, user and assistant (or human and gpt)")
    return role


def _system(record: Mapping[str, Any]) -> list[Message]:
    system = _optional(record, "system")
    return [Message(role="system", content=system)] if system.strip() else []


def _optional(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return "" if value is None else _text(value, repr(key))


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise RowFault(f"{where} is {kind_of(value)}, not a string", "write it as text in double quotes")
    return value


def _list(record: Mapping[str, Any], key: str, *, optional: bool = False) -> list[Any]:
    value = record.get(key)
    if optional and value in (None, ""):
        return []
    if isinstance(value, str):  # a CSV cell
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise RowFault(f"{key!r} is a string, but not a JSON list", "write it as a JSON list") from None
    if not isinstance(value, list):
        raise RowFault(f"{key!r} is {kind_of(value)}, not a list", "write it as a JSON list")
    return value


def _reject_unwritable(message: Message) -> None:
    found = UNWRITABLE.search(message.content)
    if found:
        kind = "the lone surrogate" if found[0] >= "\ud800" else "the control character"
        raise RowFault(f"{kind} U+{ord(found[0]):04X} in the {message.role}'s text (position {found.start() + 1})",
                       "delete it")  # fmt: skip


def _reject_disorder(messages: list[Message]) -> None:
    turns = messages[1:] if messages and messages[0].role == "system" else messages
    if not turns:
        raise RowFault("no turns", "write a question and its answer, or delete the row")
    for number, (message, expected) in enumerate(zip(turns, _alternating(len(turns)), strict=True), start=1):
        if message.role != expected:
            raise RowFault(f"roles out of order: turn {number} is the {message.role}'s, not the {expected}'s",
                           "alternate user and assistant, after at most one system message")  # fmt: skip
        if not message.content.strip():
            raise RowFault(f"turn {number} (the {message.role}'s) is empty", "write it, or delete the row")
    if turns[-1].role != "assistant":
        raise RowFault("no answer: the last turn is the user's", "end with the assistant's answer, or delete the row")
    if messages[0].role == "system" and not messages[0].content.strip():
        raise RowFault("the system message is empty", "write it, or leave it out")


def _alternating(count: int) -> list[str]:
    return (["user", "assistant"] * ((count + 1) // 2))[:count]


FORMATS = (
    Format(name="messages", marks=("messages",), keys=("messages", "system"), read=_messages,
           shape='messages: [{"role": …, "content": …}, …]'),
    Format(name="ShareGPT", marks=CONVERSATION_KEYS, keys=(*CONVERSATION_KEYS, "system"), read=_sharegpt,
           shape='conversations: [{"from": "human", "value": …}, …]'),
    Format(name="alpaca", marks=("instruction", "output"), keys=("instruction", "input", "output", "system", "history"),
           read=_alpaca, shape="instruction, input, output"),
    Format(name="query/response", marks=(*QUESTION_KEYS, *ANSWER_KEYS), read=_query_response,
           keys=(*QUESTION_KEYS, *ANSWER_KEYS, "system", "history"), shape="query, response"),
)  # fmt: skip
