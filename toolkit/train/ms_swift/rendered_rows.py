"""A conversation as the model's own chat template renders it, cut into what is read and what is trained.

ms-swift has templates of its own for some families. They are not used: a model is asked with its own, and ms-swift's
refuse some orders of turns, and change others: two questions are joined, and an empty one put before an answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from toolkit.core.errors import ModelError
from toolkit.data.encoding import IGNORED
from toolkit.model.chat_template import ChatTokens, rendered
from toolkit.model.conversation import Messages

Piece = tuple[str, bool]  # a text, and whether it is trained


@dataclass(frozen=True, kw_only=True)
class _Turn:
    """An assistant's message: what precedes it as a prompt, and the conversation up to its end."""

    message: dict[str, Any]
    prompt: str
    so_far: str

    @property
    def body(self) -> str:
        """Its content without outer spaces, which some templates remove."""
        return str(self.message["content"]).strip()

    @property
    def ending(self) -> str:
        """What the template writes after the content."""
        return self.so_far[self.so_far.rfind(self.body) + len(self.body) :]


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
    text, end = rendered(tokenizer, plain, prompt=False), 0
    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        is_last = at + 1 == len(messages)
        turn = _Turn(
            message=message, prompt=rendered(tokenizer, plain[:at], prompt=True),
            so_far=text if is_last else rendered(tokenizer, plain[: at + 1], prompt=False),
        )  # fmt: skip
        before, answer, end = _cut(turn, text, end)
        written = answer[answer.rfind(turn.body) + len(turn.body) :] if turn.body else answer
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
    if turn.so_far.startswith(turn.prompt) and text.startswith(turn.so_far) and len(turn.prompt) >= end:
        return text[end : len(turn.prompt)], turn.so_far[len(turn.prompt) :], len(turn.so_far)
    if turn.so_far == text:  # the prompt opens a thought, and the template renders an answer without one
        begin = text.rfind(turn.body) if turn.body else -1
        common = _common(turn.prompt, text)
        if begin >= max(end, common) >= end and not text[common:begin].strip():
            return turn.prompt[end:], text[begin:], len(text)
    elif turn.body and (begin := text.find(turn.body + turn.ending, end)) >= 0:  # it leaves out an earlier thought
        return text[end:begin], turn.body + turn.ending, begin + len(turn.body + turn.ending)
    answer = turn.body[:40] or "a call"
    raise ModelError(
        f"The model's chat template does not render {answer!r} as an answer of its own.",
        next="Alternate user and assistant in this row, or delete it.",
    )


def _common(one: str, other: str) -> int:
    """The length of the longest text that both begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
