"""The thought before an answer on its way to the client: taken out of its text as it comes, as vLLM does. Pure."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Any

from toolkit.core.text import CLOSE_THOUGHT, OPEN_THOUGHT
from toolkit.serve.completion import AnswerPart, overlap


class ThoughtReader:
    """Divides an answer that comes in parts into its thought and its text; `opened`: the prompt opened the thought.

    Line ends beside the marks belong to neither.
    """

    def __init__(self, *, opened: bool = False) -> None:
        self._state = "thought" if opened else "before"  # before | thought | after | text
        self._pending = ""  # may be the beginning of a mark, or line ends before one

    def add(self, text: str, *, last: bool = False) -> tuple[str, str]:
        """What is certain now: more of the thought, and more of the text; `last`: nothing follows."""
        rest, thought = self._pending + text, ""
        self._pending = ""
        if self._state == "before":
            begun = rest.lstrip()
            if not last and (not begun or OPEN_THOUGHT.startswith(begun)) and begun != OPEN_THOUGHT:
                self._pending = rest
                return "", ""
            self._state, rest = (
                ("thought", begun[len(OPEN_THOUGHT) :]) if begun.startswith(OPEN_THOUGHT) else ("text", rest)
            )
        if self._state == "thought":
            inner, mark, after = rest.partition(CLOSE_THOUGHT)
            if not mark:
                certain = inner if last else inner[: len(inner) - overlap(inner, CLOSE_THOUGHT)].rstrip("\n")
                self._pending = inner[len(certain) :]
                return certain, ""
            thought, rest, self._state = inner.rstrip("\n"), after, "after"
        if self._state == "after":
            rest = rest.lstrip()
            self._state = "text" if rest else "after"
        return thought, rest


async def with_thought(parts: AsyncIterator[AnswerPart], *, opened: bool) -> AsyncGenerator[AnswerPart]:
    """The parts of an answer with its thought apart from the text."""
    reader = ThoughtReader(opened=opened)
    begun = False
    pending: list[dict[str, Any]] = []  # log probabilities of what is not certain yet
    async for part in parts:
        pending += part.logprobs or ()
        thought, text = reader.add(part.text, last=part.finish_reason is not None)
        thought = thought if begun else thought.lstrip("\n")
        begun = begun or bool(thought)
        if thought or text or part.finish_reason is not None:
            logprobs = None if part.logprobs is None else tuple(pending)
            yield replace(part, text=text, thought=thought, logprobs=logprobs)
            pending = []
