"""Turns one record into a conversation: alpaca, messages, ShareGPT, query/response. Pure.

Each reader returns the messages of one record, ending with the answer, or raises RowFault. In every format a record may
list tools beside them.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from toolkit.data.keys import (
    REFUSED_KEYS,
    ROW_THOUGHT,
    TOOL_LIST_KEYS,
    VERDICT_KEYS,
    meaningful,
    plain_name,
    require_trainable,
    with_names,
)
from toolkit.data.messages import Message, conversation_of, text_of, unread_of_turn, with_own_thought
from toolkit.data.records import LONGEST_ROW, Doubled, RowFault, WrittenFloat, as_written, kind_of, too_long
from toolkit.data.tools.calls import ToolCall
from toolkit.data.tools.reading import read_calls, read_tools

__all__ = ["FORMATS", "Format", "Message", "format_of", "messages_of", "tools_of", "unread_keys", "with_known_names"]
QUESTION_KEYS = ("query", "prompt", "question", "problem")
ANSWER_KEYS = ("response", "completion", "answer", "answers", "target", "solution")
EXCHANGE = ("user", "assistant")
INPUT_KEYS = ("input", "context")  # follow the question on a line of their own
SYSTEM_KEYS = ("system", "system_prompt")
# Headers of sheets in other words; case, spaces and hyphens do not matter either.
ALIASES = {
    "q": "question", "a": "answer", "system_message": "system", "targets": "target",
    "问题": "question", "提问": "question", "答案": "answer", "回答": "answer", "回复": "response",
    "指令": "instruction", "输入": "input", "输出": "output",
}  # fmt: skip
CONVERSATION_KEYS = ("conversations", "conversation")
CONVERSATIONAL = ("messages", "ShareGPT")  # formats whose rows list their turns
# Control characters except tab and line ends, and lone surrogates, which no tokenizer accepts.
UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Format:
    name: str
    marks: tuple[str, ...]  # a record with one of these keys is of this format
    keys: tuple[str, ...]  # every key it reads
    shape: str  # as shown in messages
    read: Callable[[Mapping[str, Any]], list[Message]]


@lru_cache(maxsize=4096)
def known_name(key: str) -> str:
    """The key that is meant by this one: `Question` and `问题` mean `question`; else the key itself."""
    name = plain_name(key)
    name = ALIASES.get(name, name)
    return name if name in KNOWN else key


def with_known_names(record: Any) -> Any:
    """A record with its keys under the names that the formats use. A RowFault if two of them mean the same."""
    if not isinstance(record, dict) or isinstance(record, Doubled):
        return record
    try:
        return with_names(record, known_name)
    except RowFault as fault:
        return fault


def format_of(record: Mapping[str, Any]) -> Format | None:
    """The first format whose mark the record has, the most specific first; None without any."""
    return _format_of_keys(tuple(record))


@lru_cache(maxsize=4096)
def _format_of_keys(keys: tuple[str, ...]) -> Format | None:
    return next((each for each in FORMATS if not {*each.marks}.isdisjoint(keys)), None)


def messages_of(record: Mapping[str, Any], format_: Format) -> tuple[Message, ...]:
    """The conversation, its turns in order. Raises RowFault."""
    require_trainable(record)
    messages = format_.read(record)
    _reject_second_answer(record, format_, messages)
    if (characters := sum(len(text) for message in messages for text in message.texts)) > LONGEST_ROW:
        raise too_long(characters)
    for message in messages:
        for text in message.texts:
            _reject_unwritable(text, f"the {message.role}'s text")
    _reject_incomplete(messages)
    return tuple(messages)


def tools_of(record: Mapping[str, Any], messages: Sequence[Message]) -> str:
    """The tools that the conversation of a record lists, as JSON text; "" without any. Raises RowFault."""
    named = [key for key in TOOL_LIST_KEYS if key in record and meaningful(record[key])]
    if not named:
        return ""
    found = {key: read_tools(record[key], repr(key)) for key in named}
    if len(set(found.values())) > 1:
        raise RowFault(f"two lists of tools: in {' and in '.join(map(repr, found))}", "keep one of them")
    tools = found[named[0]]
    if len(tools) > LONGEST_ROW:
        raise too_long(len(tools))
    _reject_unwritable(tools, "the tools")
    if tools and messages[0].role == "system" and "<tools>" in messages[0].content:
        raise RowFault(f"two lists of tools: in {next(iter(found))!r} and in the system message",
                       "leave the key out, or the list in the system message")  # fmt: skip
    return tools


def unread_keys(record: Mapping[str, Any], format_: Format, messages: Sequence[Message]) -> Iterator[str]:
    """The keys of a readable record that say something and change nothing; of messages as `messages[].name`."""
    texts = {message.content for message in messages}
    further = QUESTION_KEYS if "instruction" in record else ()
    for key, value in record.items():
        is_verdict = key in VERDICT_KEYS and isinstance(value, bool)  # true: false is refused
        read = is_verdict or key in TOOL_LIST_KEYS or (key in format_.keys and key not in further)
        if not read and meaningful(value) and not (isinstance(text := as_written(value), str) and text in texts):
            yield key
    for key in format_.marks if format_.name in CONVERSATIONAL else ():
        turns = _list(record, key, optional=True)
        yield from dict.fromkeys(f"{key}[].{name}" for turn in turns for name in unread_of_turn(turn))


def _alpaca(record: Mapping[str, Any]) -> list[Message]:
    questions = ("instruction",) if "instruction" in record else ("instruction", *QUESTION_KEYS)
    return _exchange(record, questions, ("output", *ANSWER_KEYS))


def _query_response(record: Mapping[str, Any]) -> list[Message]:
    if not any(key in record for key in (*QUESTION_KEYS, *INPUT_KEYS)):
        raise RowFault("no question", "write it into 'query', or delete the row")
    return _exchange(record, QUESTION_KEYS, ANSWER_KEYS)


def _exchange(record: Mapping[str, Any], questions: tuple[str, ...], answers: tuple[str, ...]) -> list[Message]:
    question_key, text = _one_of(record, questions, "questions")
    parts = [text, _one_of(record, INPUT_KEYS, "inputs")[1]]
    question = "\n".join(part for part in parts if part.strip())
    if not question:
        raise RowFault(f"{question_key!r} is empty or missing", "write the question, or delete the row")
    if calls := _answered_with_calls(record, answers):
        answer_turn = Message(role="assistant", content="", calls=calls)
        return [*_system(record), *_history(record), Message(role="user", content=question), answer_turn]
    answer_key, answer = _one_of(record, answers, "answers")
    if answer_key not in record:
        raise RowFault(f"no answer: {answer_key!r} is missing (keys found: {', '.join(record)})",
                       f"write it into {answer_key!r}, or delete the row")  # fmt: skip
    if not answer.strip():
        raise RowFault(f"no answer: {answer_key!r} is empty", "write it, or delete the row")
    beside = {ROW_THOUGHT: record.get(ROW_THOUGHT)}
    answered = with_own_thought(Message(role="assistant", content=answer), beside, repr(answer_key))
    return [*_system(record), *_history(record), Message(role="user", content=question), answered]


def _one_of(record: Mapping[str, Any], keys: tuple[str, ...], what: str) -> tuple[str, str]:
    """The one of these keys that has a text, and the text; else the first key, and none. Raises RowFault."""
    among = _among(keys, tuple(record))
    if not among:
        return keys[0], ""
    texts = {key: _optional(record, key) for key in among}
    found = {key: text for key, text in texts.items() if text.strip()}
    if len(found) == 1:
        return next(iter(found.items()))
    if len({text.strip() for text in found.values()}) > 1:
        raise RowFault(f"two {what}: in {' and in '.join(map(repr, found))}", "keep one of them")
    key = next(iter([*found, *texts, *keys]))
    return key, found.get(key, "")


@lru_cache(maxsize=4096)
def _among(keys: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key for key in keys if key in others)


def _reject_second_answer(record: Mapping[str, Any], format_: Format, messages: Sequence[Message]) -> None:
    if format_.name not in CONVERSATIONAL:
        return
    answers = [message.content.strip() for message in messages if message.role == "assistant"]
    if meaningful(record.get(ROW_THOUGHT)):
        raise RowFault(f"a thought ({ROW_THOUGHT!r}) beside its messages", "write it into the assistant's message")
    for key in ("output", *ANSWER_KEYS):
        value = as_written(record.get(key))
        if meaningful(value) and not (isinstance(value, str) and value.strip() in answers):
            turns = next(mark for mark in format_.marks if mark in record)
            raise RowFault(f"two answers: in {turns!r} and in {key!r}", "keep one of them")


def _answered_with_calls(record: Mapping[str, Any], answers: Sequence[str]) -> tuple[ToolCall, ...]:
    """The answer of a row with tools whose answer is a list of calls, as xLAM's is; () of any other row."""
    if not any(key in record and meaningful(record[key]) for key in TOOL_LIST_KEYS):
        return ()
    given = [record[key] for key in answers if meaningful(record.get(key))]
    if len(given) != 1:
        return ()
    try:
        calls = tuple(read_calls(given[0], "the answer"))
    except RowFault:
        return ()
    return calls if not isinstance(given[0], str) or given[0].lstrip().startswith("[") else ()


def _history(record: Mapping[str, Any]) -> list[Message]:
    turns: list[Message] = []
    for number, pair in enumerate(_list(record, "history", optional=True), start=1):
        if not isinstance(pair, list) or [type(as_written(part)) for part in pair] != [str, str]:
            raise RowFault(f"'history' item {number} is not a pair of strings",
                           'write it as ["question", "answer"]')  # fmt: skip
        turns += [Message(role=role, content=as_written(part)) for role, part in zip(EXCHANGE, pair, strict=True)]
    return turns


def _messages(record: Mapping[str, Any]) -> list[Message]:
    return _conversation(record, "messages")


def _sharegpt(record: Mapping[str, Any]) -> list[Message]:
    present = [key for key in CONVERSATION_KEYS if meaningful(record.get(key))]
    if len(present) > 1:
        raise RowFault(f"two conversations: in {' and in '.join(map(repr, present))}", "keep one of them")
    return _conversation(record, next(iter([*present, *(key for key in CONVERSATION_KEYS if key in record)])))


def _conversation(record: Mapping[str, Any], key: str) -> list[Message]:
    turns = conversation_of(_list(record, key), key)
    system = _system(record)
    if system and turns and turns[0].role == "system":
        raise RowFault(f"two system prompts: in 'system' and in {key!r}", "keep one of them")
    return [*system, *turns]


def _system(record: Mapping[str, Any]) -> list[Message]:
    _, system = _one_of(record, SYSTEM_KEYS, "system prompts")
    return [Message(role="system", content=system)] if system.strip() else []


def _optional(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if key == "answers" and isinstance(value, list) and all(isinstance(as_written(one), str) for one in value):
        if len(set(value)) > 1:
            raise RowFault(f"{len(value)} answers in {key!r}", "keep one of them, or write a row for each")
        value = next(iter(value), None)
    is_missing = value is None or value != value  # noqa: PLR0124  # NaN
    return "" if is_missing else text_of(value, repr(key), numbers=key not in SYSTEM_KEYS)


def _list(record: Mapping[str, Any], key: str, *, optional: bool = False) -> list[Any]:
    value = record.get(key)
    if optional and not meaningful(value):
        return []
    if isinstance(value, str):  # a CSV cell
        try:
            value = json.loads(value, parse_float=WrittenFloat)
        except (ValueError, RecursionError):
            raise RowFault(f"{key!r} is a string, but not a JSON list", "write it as a JSON list") from None
    if not isinstance(value, list):
        raise RowFault(f"{key!r} is {kind_of(value)}, not a list", "write it as a JSON list")
    return value


def _reject_unwritable(text: str, where: str) -> None:
    found = UNWRITABLE.search(text)
    if found:
        kind = "the lone surrogate" if found[0] >= "\ud800" else "the control character"
        raise RowFault(f"{kind} U+{ord(found[0]):04X} in {where} (position {found.start() + 1})", "delete it")


def _reject_incomplete(messages: list[Message]) -> None:
    turns = [message for message in messages if message.role != "system"]
    if not turns:
        raise RowFault("no turns", "write a question and its answer, or delete the row")
    for number, message in enumerate(turns, start=1):
        if not message.content.strip() and not message.calls and message.role != "tool":
            raise RowFault(f"turn {number} (the {message.role}'s) is empty", "write it, or delete the row")
    if messages[-1].role != "assistant":
        raise RowFault(f"no answer: the last turn is the {messages[-1].role}'s",
                       "end with the assistant's answer, or delete the row")  # fmt: skip
    if any(message.role == "system" and not message.content.strip() for message in messages):
        raise RowFault("the system message is empty", "write it, or leave it out")


FORMATS = (
    Format(name="messages", marks=("messages",), keys=("messages", *SYSTEM_KEYS), read=_messages,
           shape='messages: [{"role": …, "content": …}, …]'),
    Format(name="ShareGPT", marks=CONVERSATION_KEYS, keys=(*CONVERSATION_KEYS, *SYSTEM_KEYS), read=_sharegpt,
           shape='conversations: [{"from": "human", "value": …}, …]'),
    Format(name="alpaca", marks=("instruction", "output"), read=_alpaca, shape="instruction, input, output",
           keys=("instruction", "output", *QUESTION_KEYS, *INPUT_KEYS, *ANSWER_KEYS, *SYSTEM_KEYS, "history",
                 ROW_THOUGHT)),
    Format(name="query/response", marks=(*QUESTION_KEYS, *ANSWER_KEYS), read=_query_response, shape="query, response",
           keys=(*QUESTION_KEYS, *INPUT_KEYS, *ANSWER_KEYS, *SYSTEM_KEYS, "history", ROW_THOUGHT)),
)  # fmt: skip
KNOWN = frozenset({
    *(key for each in FORMATS for key in each.keys), *REFUSED_KEYS, *VERDICT_KEYS, *TOOL_LIST_KEYS,
})  # fmt: skip
