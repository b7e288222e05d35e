"""Checks of one row's text: placeholders, lost characters, marks of chat templates, credentials, calls. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from toolkit.core.text import short
from toolkit.data.messages import Row
from toolkit.data.texts.placeholders import placeholders
from toolkit.data.texts.private_data import credentials, may_have_credentials

PLACEHOLDER, SECRET = "placeholder", "secret"  # kinds of findings
# Marks of chat templates: ChatML and Llama 3, Llama 2, Gemma, DeepSeek. <s> within a text may be HTML.
TEMPLATE_MARK = re.compile(
    r"<\|\w+\|>|</?(?:start|end)_of_turn>|<｜[^｜<>]+｜>|\[/?INST\]|<</?SYS>>|^\s*<s>|</s>|<(?:bos|eos)>"
)
REPLACEMENT = "\ufffd"  # what a decoder writes for a character that it lost
BEGINNINGS = ("<", "[", REPLACEMENT)  # of all of them
UNKNOWN = re.compile(r"<unk>|\[UNK\]", re.IGNORECASE)  # what a tokenizer writes for a word that it lost


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`row` is None for the data set as such; the remedy has no full stop."""

    level: Literal["error", "warning", "note"]
    kind: str  # format | duplicate | conflict | placeholder | probe | length | …
    row: int | None = None
    message: str
    remedy: str = ""


def _placeholders(row: Row) -> Iterator[Finding]:
    found = placeholders([text for message in row.messages for text in message.texts])
    if not found:
        return
    certain = any(each.certain for each in found)
    names = ", ".join(each.text for each in found)
    yield Finding(
        level="error" if certain else "warning",
        kind=PLACEHOLDER,
        row=row.number,
        message=f"unreplaced placeholder {names}" if certain else f"{names} looks like an unreplaced placeholder",
        remedy="write the real text" if certain else "write the real text, or ignore this if it is intended",
    )


def _lost_or_special(row: Row) -> Iterator[Finding]:
    for message in row.messages:
        content = "\n".join(message.texts)
        if not any(mark in content for mark in BEGINNINGS):  # spares large data sets the slower patterns
            continue
        if found := TEMPLATE_MARK.search(content):
            yield Finding(
                level="warning",
                kind="special-token",
                row=row.number,
                message=f"the {message.role}'s text contains the mark {found[0].strip()}: it is trained as text",
                remedy="delete it, or split the row into its turns; the chat template adds its own",
            )
        if found := UNKNOWN.search(content):
            yield Finding(
                level="warning",
                kind="lost-character",
                row=row.number,
                message=f"the {message.role}'s text contains {found[0]}, left by a tokenizer that lost a word",
                remedy="restore the lost word, or delete the row",
            )
        if REPLACEMENT in content:
            yield Finding(
                level="warning",
                kind="lost-character",
                row=row.number,
                message=f"the {message.role}'s text contains U+FFFD, left by a conversion that lost a character",
                remedy="restore the lost character",
            )


def texts_of(row: Row) -> list[str]:
    """Everything in it that somebody wrote, its tools as JSON."""
    return [*(text for message in row.messages for text in message.texts), *filter(None, [row.tools])]


def _secrets(row: Row) -> Iterator[Finding]:
    """Each credential once; never its secret part."""
    texts = texts_of(row)
    if not may_have_credentials("\n".join(texts)):
        return
    found = {text[one.start : one.end]: one for text in texts for one in credentials(text)}
    for one in found.values():
        yield Finding(
            level="warning",
            kind=SECRET,
            row=row.number,
            message=f"{one.kind} ({short(one.shown)}): the adapter may give it away, and so do reports with this row",
            remedy="revoke it if it is real, and write a made-up one",
        )


def _tool_calls(row: Row) -> Iterator[Finding]:
    """Calls that do not fit the row's tools."""
    calls = [call for message in row.messages if message.trained for call in message.calls]
    listed = {tool["function"]["name"]: tool["function"] for tool in json.loads(row.tools)} if row.tools else {}
    for call in calls:
        message = ""
        if call.name not in listed:
            message = f"calls {call.name!r}, which is not among its tools ({', '.join(listed) or 'none'})"
        elif missing := sorted(_required(listed[call.name]) - call.values.keys()):
            message = f"calls {call.name!r} without {', '.join(map(repr, missing))}, which its tool requires"
        if message:
            yield Finding(
                level="warning", kind="call", row=row.number, message=message,
                remedy="correct the call or the row's 'tools'",
            )  # fmt: skip


def _required(function: Mapping[str, Any]) -> set[str]:
    """The arguments that a tool's JSON schema requires; none where it has another form."""
    parameters = function.get("parameters")
    required = parameters.get("required") if isinstance(parameters, dict) else None
    return {one for one in required if isinstance(one, str)} if isinstance(required, list) else set()


CHECKS = (_placeholders, _lost_or_special, _secrets, _tool_calls)
