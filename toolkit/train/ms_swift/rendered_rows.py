"""A conversation as the model's own chat template renders it, cut into what is read and what is trained.

ms-swift has templates of its own for some families. They are not used: a model is asked with its own, and ms-swift's
refuse some orders of turns, and change others: two questions are joined, and an empty one put before an answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from toolkit.core.errors import ModelError
from toolkit.core.text import CLOSE_THOUGHT, OPEN_THOUGHT, divided
from toolkit.data.encoding import IGNORED
from toolkit.model.chat_template import CLOSED, ChatTokens, opens_thought, rendered, thinks
from toolkit.model.conversation import THINKING, Messages

# At the end of a prompt: an empty one, or one that the answer goes on with.
BEGUN_THOUGHT = re.compile(rf"{OPEN_THOUGHT}\s*(?:{CLOSE_THOUGHT}\s*)?\Z")
Piece = tuple[str, bool]  # a text, and whether it is trained


@dataclass(frozen=True, kw_only=True)
class _Turn:
    """An assistant's message: what precedes it as a prompt, and the conversation up to its end."""

    message: dict[str, Any]
    prompt: str
    so_far: str
    thinks: bool = False  # the prompt asks for the thought that the answer begins with

    @property
    def body(self) -> str:
        """Its content without outer spaces, which some templates remove."""
        return str(self.message["content"]).strip()

    @property
    def visible(self) -> str:
        """The body after its thought, if it has one: what a template that leaves out thoughts writes of it."""
        return divided(self.body)[1].strip() if self.has_thought else self.body

    @property
    def has_thought(self) -> bool:
        return has_thought(self.body)

    @property
    def ending(self) -> str:
        """What the template writes after the content."""
        return self.so_far[self.so_far.rfind(self.visible) + len(self.visible) :]


def has_thought(content: str) -> bool:
    """Whether an answer begins with a thought that ends, be it empty."""
    return content.startswith(OPEN_THOUGHT) and CLOSE_THOUGHT in content


def as_rendered(
    tokenizer: Any, tokens: ChatTokens, messages: Messages, answer_end: str | None = None
) -> tuple[list[int], list[int]]:
    """Token ids and labels of a conversation as the chat template renders it. Raises ModelError.

    `messages`: escaped, the last one the assistant's. `answer_end`: the token that ends an answer where the template
    writes none; None: the tokenizer's own.
    """
    ids: list[int] = []
    labels: list[int] = []
    before = ""
    for text, trained in _pieces(tokenizer, messages, answer_end or str(tokenizer.eos_token)):
        more = tokens.after(before, text) if before else tokens.ids(text)
        ids, labels, before = ids + more, labels + (more if trained else [IGNORED] * len(more)), before + text
    return ids, labels


def _pieces(tokenizer: Any, messages: Messages, answer_end: str) -> Iterator[Piece]:
    """A question and its answer in turn, together the rendered conversation."""
    plain = [{key: value for key, value in one.items() if key != "loss"} for one in messages]
    own = has_thought(str(messages[-1]["content"]).strip()) and thinks(tokenizer)
    mark = THINKING if own else []
    text, end = rendered(tokenizer, [*mark, *plain], prompt=False), 0
    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        is_last = at + 1 == len(messages)
        turn = _Turn(
            message=message, prompt=rendered(tokenizer, [*mark, *plain[:at]], prompt=True),
            so_far=text if is_last else rendered(tokenizer, [*mark, *plain[: at + 1]], prompt=False),
            thinks=own and is_last,
        )  # fmt: skip
        before, answer, end = _cut(turn, text, end)
        written = answer[answer.rfind(turn.visible) + len(turn.visible) :] if turn.visible else answer
        if not written.strip() and not answer.endswith(answer_end):
            if is_last:
                answer += answer_end
            elif text.startswith(answer_end, end):  # of the next turn, which it begins
                answer, end = answer + answer_end, end + len(answer_end)
        yield before, False
        yield answer, bool(message.get("loss", True))


def _cut(turn: _Turn, text: str, end: int) -> tuple[str, str, int]:
    """What is read before the answer, the answer with what ends it, and where that ends in the whole conversation.

    `end`: where the last answer ended. Raises ModelError for a template that does not render it as one.
    """
    if turn.thinks and (found := _with_thought(turn, text, end)):
        return found
    begun = BEGUN_THOUGHT.search(turn.prompt)
    if turn.so_far.startswith(turn.prompt) and text.startswith(turn.so_far) and len(turn.prompt) >= end:
        return text[end : len(turn.prompt)], turn.so_far[len(turn.prompt) :], len(turn.so_far)
    head = turn.prompt[: begun.start()] if begun else turn.prompt
    # The template renders an answer without the thought that the prompt opens, or an earlier one without its own.
    rest = text[len(head) :]
    begin, shown = len(head) + len(rest) - len(rest.lstrip()), turn.visible + turn.ending
    if text.startswith(head) and turn.visible and text.startswith(shown, begin) and len(head) >= end:
        read = turn.prompt[end:] if turn.so_far == text else text[end:begin]
        return read, shown, begin + len(shown)
    answer = turn.body[:40] or "a call"
    raise ModelError(
        f"The model's chat template does not render {answer!r} as an answer of its own.",
        next="Alternate user and assistant in this row, or delete it.",
    )


def _with_thought(turn: _Turn, text: str, end: int) -> tuple[str, str, int] | None:
    """As `_cut`, of the last answer with its thought, after what asks for one; None where that does not precede it.

    A template that leaves out the thought, and one that opens it in the prompt, get it as the model would write it.
    """
    prompt = turn.prompt
    shown = text[len(prompt) :]
    if text.startswith(prompt) and CLOSE_THOUGHT in shown:
        return text[end : len(prompt)], shown, len(text)
    opened = opens_thought(prompt)
    head = prompt[: prompt.rindex(OPEN_THOUGHT)] if opened else prompt
    if not text.startswith(head):
        return None
    thought, _ = divided(turn.body)
    inner = thought.text if thought is not None else ""
    written = f"{inner}{CLOSED}" if opened else f"{OPEN_THOUGHT}\n{inner}{CLOSED}"
    return prompt[end:], written + turn.visible + turn.ending, len(text)
