"""Tool calls within an answer on its way to the client: taken out of its text as they are complete. Pure."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

from toolkit.data.tools.calls import BEGIN, END, ToolCall, call_of
from toolkit.data.tools.forms import HERMES, CallForm
from toolkit.serve.completion import STOP, AnswerPart, overlap

TOOL_CALLS = "tool_calls"  # OpenAI's reason why an answer ends that calls tools


class CallReader:
    """Divides an answer that comes in parts into text and calls; what is not a complete call is text.

    White space around calls belongs to neither.
    """

    def __init__(self) -> None:
        self.found = False
        self._pending = ""  # from where a call may begin, or white space before one
        self._after_call = False

    def add(self, text: str, *, last: bool) -> Iterator[str | ToolCall]:
        """What is certain now, without empty texts; `last`: nothing follows."""
        rest = self._trimmed(self._pending + text)
        while (begin := rest.find(BEGIN)) >= 0 and (end := rest.find(END, begin)) >= 0:
            call, after = call_of(rest[begin + len(BEGIN) : end]), end + len(END)
            yield from filter(None, [rest[:after] if call is None else rest[:begin].rstrip()])
            self._after_call = call is not None
            if call is not None:
                self.found = True
                yield call
            rest = self._trimmed(rest[after:])
        before = rest if begin < 0 else rest[:begin]
        certain = len(rest) if last else len(before[: len(before) - overlap(before, BEGIN)].rstrip())
        self._pending = rest[certain:]
        self._after_call = self._after_call and not certain
        yield from filter(None, [rest.rstrip() if last and self.found else rest[:certain]])

    def _trimmed(self, text: str) -> str:
        return text.lstrip() if self._after_call else text


class WholeReader:
    """The same of forms without marks: calls if the complete answer is made of them, else text.

    It is kept back for as long as it may become calls.
    """

    def __init__(self, form: CallForm) -> None:
        self.found = False
        self._form, self._pending, self._is_text = form, "", False

    def add(self, text: str, *, last: bool) -> Iterator[str | ToolCall]:
        """As CallReader's."""
        self._pending += text
        self._is_text = self._is_text or not self._form.may_be(self._pending)
        if not self._is_text and not last:
            return
        calls = () if self._is_text else self._form.read(self._pending)
        self.found = bool(calls)
        yield from calls or filter(None, [self._pending])
        self._pending = ""


async def with_calls(parts: AsyncIterator[AnswerPart], form: CallForm = HERMES) -> AsyncGenerator[AnswerPart]:
    """The parts of an answer with its calls apart from the text; the reason of its end tells of them."""
    reader = CallReader() if form is HERMES else WholeReader(form)
    pending: list[dict[str, Any]] = []  # log probabilities of what is not certain yet
    async for part in parts:
        pending += part.logprobs or ()
        pieces = list(reader.add(part.text, last=part.finish_reason is not None))
        if pieces or part.finish_reason is not None:
            yield replace(
                part,
                text="".join(piece for piece in pieces if isinstance(piece, str)),
                calls=tuple(piece for piece in pieces if isinstance(piece, ToolCall)),
                logprobs=None if part.logprobs is None else tuple(pending),
                finish_reason=TOOL_CALLS if reader.found and part.finish_reason == STOP else part.finish_reason,
            )
            pending = []
