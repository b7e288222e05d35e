"""Chat templates are programs that others wrote: they are rendered in the limited child process, and only there.

A model's templates are tried once when its folder is found, before anything is loaded; transformers is made to render
there too (`render_in_child`), since a template may behave until it meets a certain message.

A special token is one only where the template writes it: within a message `<|im_end|>` is text like any other, so that
nobody ends their turn and begins another's (`ChatTokens`).
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

from toolkit.core.errors import ModelError, first_line
from toolkit.core.limited_process import RefusedError, limited_process
from toolkit.core.text import CLOSE_THOUGHT, OPEN_THOUGHT
from toolkit.model.conversation import THINKING, TOOLS, Messages, is_thinking, with_call_ids

ESCAPE, BREAK = "\ufdd0", "\ufdd1"  # noncharacters, which texts hardly have
SENTENCEPIECE_SPACE = "\u2581"
TOOL_TRIAL = {"type": "function", "function": {"name": "the_tool", "description": "", "parameters": {}}}
CALL_TRIAL: Messages = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "", "tool_calls": [
        {"type": "function", "function": {"name": "a_call", "arguments": {"the_argument": 1}}},
    ]},
    {"role": "tool", "content": "the_result"},
]  # fmt: skip
_TAKES_TOOLS: dict[str, bool] = {}  # by template
_TAKES_SYSTEM: dict[str, bool] = {}
_NEEDS_IDS: set[str] = set()  # templates that take calls under ids only
_THINKS: dict[str, bool] = {}
QUESTION = {"messages": [{"role": "user", "content": "Hello"}]}
TRIAL = {**QUESTION, "add_generation_prompt": True}
SYSTEM_TRIAL: Messages = [{"role": "system", "content": "the_system"}, {"role": "user", "content": "Hello"}]
# Qwen3's name for the mode in which a model answers after a thought; else its template writes an empty one.
SWITCH = "enable_thinking"
CLOSED = f"\n{CLOSE_THOUGHT}\n\n"


class ChatTokens:
    """Encodes rendered conversations: special tokens of the template as such, those within a content as its text."""

    def __init__(self, tokenizer: Any) -> None:
        special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
        self._tokenizer, self.special_tokens = tokenizer, sorted(special, key=len, reverse=True)
        self.special = re.compile("|".join(map(re.escape, self.special_tokens)) or "(?!)")

    def escaped(self, messages: Messages) -> Messages:
        """The same messages for a template to render, without any special token in their contents and calls."""
        return [{key: value if key == "role" else self._escaped(value) for key, value in one.items()}
                for one in messages]  # fmt: skip

    def _escaped(self, value: Any) -> Any:
        """Every text of a JSON value."""
        if isinstance(value, dict):
            return {self._escaped(key): self._escaped(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._escaped(one) for one in value]
        return self._escaped_text(value) if isinstance(value, str) else value

    def _escaped_text(self, content: str) -> str:
        doubled = content.replace(ESCAPE, f"{ESCAPE}{ESCAPE}")
        return self.special.sub(lambda found: f"{found[0][0]}{ESCAPE}{BREAK}{found[0][1:]}", doubled)

    def ids(self, text: str) -> list[int]:
        """The token ids of a text that was rendered from escaped messages, or of a part of it."""
        if ESCAPE not in text:
            return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        found, end = [], 0
        for mark in self.special.finditer(text):
            found += [*self.text_ids(_unescaped(text[end : mark.start()])), self._special_id(mark[0])]
            end = mark.end()
        return found + self.text_ids(_unescaped(text[end:]))

    def after(self, before: str, text: str) -> list[int]:
        """As `ids` of a text that follows another: some tokenizers begin every text with a space of their own."""
        if not self._begins_with_space:
            return self.ids(text)
        head, whole = self.ids(before), self.ids(before + text)
        if whole[: len(head)] == head:
            return whole[len(head) :]
        return self.ids(f"\n{text}")[len(self.ids("\n")) :]

    @cached_property
    def _begins_with_space(self) -> bool:
        first = self._tokenizer.convert_ids_to_tokens(self._tokenizer("a", add_special_tokens=False)["input_ids"][:1])
        return bool(first) and str(first[0]).startswith(SENTENCEPIECE_SPACE)

    def text_ids(self, text: str) -> list[int]:
        """The token ids of a text in which no special token is meant."""
        return list(self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def _special_id(self, mark: str) -> int:
        return int(self._tokenizer.convert_tokens_to_ids(mark))


def _unescaped(text: str) -> str:
    return re.sub(f"{ESCAPE}([{ESCAPE}{BREAK}])", lambda found: found[1].removeprefix(BREAK), text)


def rendered(tokenizer: Any, messages: Messages, *, prompt: bool) -> str:
    """A conversation in the tokenizer's chat template; `prompt`: up to where the next answer begins.

    A system message is left out where the template takes none. An answer begins after an empty thought where the model
    would think first, unless THINKING stands before the conversation.

    Raises ModelError for a template that cannot be used, or has no place for the tools of this conversation.
    """
    thinking = is_thinking(messages)
    messages = messages[len(THINKING) :] if thinking else messages
    if messages and messages[0]["role"] == "system" and not takes_system(tokenizer):
        messages = messages[1:]
    values = template_values(messages)
    needs = "tools" in values or any(one["role"] == "tool" or one.get("tool_calls") for one in values["messages"])
    if needs and not takes_tools(tokenizer):
        raise ModelError(
            "The base model's chat template has no place for tools and their calls.",
            next="Use a model whose template has one, such as Qwen2.5-7B-Instruct, or leave the tools out.",
        )
    try:
        return _applied(tokenizer, values, prompt=prompt, thinking=thinking)
    except ValueError as error:
        raise ModelError(
            f"The base model has no chat template that can be used: {first_line(error)}.",
            next="Use a model with a chat_template.jinja, such as an -Instruct one.",
        ) from error


def template_values(messages: Messages) -> dict[str, Any]:
    """`messages` and, if there are any, `tools`, as chat templates take them."""
    if messages and messages[0]["role"] == TOOLS:
        return {"messages": messages[1:], "tools": json.loads(messages[0]["content"])}
    return {"messages": messages}


def _applied(tokenizer: Any, values: Mapping[str, Any], *, prompt: bool, thinking: bool = False) -> str:
    further = {name: value for name, value in values.items() if name != "messages"}
    if SWITCH in str(tokenizer.chat_template):
        further[SWITCH] = thinking
    messages = with_call_ids(values["messages"]) if str(tokenizer.chat_template) in _NEEDS_IDS else values["messages"]
    text = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt, **further))
    return text + CLOSED if prompt and not thinking and opens_thought(text) else text


def opens_thought(prompt: str) -> bool:
    """Whether the answer to this rendered prompt begins within a thought."""
    return prompt.rstrip().endswith(OPEN_THOUGHT)


def thinks(tokenizer: Any) -> bool:
    """Whether its chat template asks the model to think, or not to: else there is no thought to keep."""
    return _known(_THINKS, tokenizer, lambda: _asks_to_think(partial(_applied, tokenizer, QUESTION, prompt=True)))


def _asks_to_think(prompt: Callable[..., str]) -> bool:
    """`prompt`: of a trial question, with or without `thinking`."""
    try:
        return prompt(thinking=True) != prompt(thinking=False)
    except (ModelError, ValueError):
        return False


def takes_system(tokenizer: Any) -> bool:
    """Whether the chat template writes a system message into a conversation; others refuse it, or leave it out."""
    return _known(_TAKES_SYSTEM, tokenizer, lambda: _writes(tokenizer, {"messages": SYSTEM_TRIAL}, "the_system"))


def takes_tools(tokenizer: Any) -> bool:
    """Whether the chat template writes tools, calls and results into a conversation."""
    trial, marks = {"messages": CALL_TRIAL, "tools": [TOOL_TRIAL]}, ("the_tool", "the_argument", "the_result")
    writes = partial(_writes, tokenizer, trial, *marks)
    return _known(_TAKES_TOOLS, tokenizer, lambda: writes() or writes(ids=True))


def _known(found: dict[str, bool], tokenizer: Any, find: Callable[[], bool]) -> bool:
    """What is true of the tokenizer's chat template, found once."""
    template = tokenizer.chat_template
    if not isinstance(template, str):
        return find()
    if template not in found:
        found[template] = find()
    return found[template]


def _writes(tokenizer: Any, values: Mapping[str, Any], *marks: str, ids: bool = False) -> bool:
    _NEEDS_IDS.update([str(tokenizer.chat_template)] if ids else ())
    try:
        text = _applied(tokenizer, values, prompt=True)
    except (ModelError, ValueError):
        return False
    return all(mark in text for mark in marks)


class _ChildTemplate:
    """What transformers takes for a compiled template."""

    def __init__(self, template: str) -> None:
        self.template = template

    def render(self, **values: Any) -> str:
        return render(self.template, values)


def render(template: str, values: Mapping[str, Any]) -> str:
    """The template's text for these values (messages, add_generation_prompt, …). Raises ModelError."""
    try:
        return str(limited_process().ask("render", template=template, values=dict(values)))
    except RefusedError as error:
        raise ModelError(
            f"The model's chat template does not render this conversation: {str(error).rstrip('.')}.",
            next="Use another copy of the model, or ask something that its template takes.",
        ) from None


def render_in_child() -> None:
    """From here on transformers renders no chat template in this process."""
    from transformers.utils import chat_template_utils

    chat_template_utils._compile_jinja_template = _ChildTemplate  # noqa: SLF001  # docs/fragile.md
