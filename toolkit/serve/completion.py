"""An answer on its way to the client: its parts, stop texts, and OpenAI's two shapes of it. Pure.

Reference: https://platform.openai.com/docs/api-reference/chat/object and /chat/streaming
"""

import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.data.tools.calls import ToolCall
from toolkit.serve.openai import ChatRequest, stopping

LENGTH, STOP = "length", "stop"  # OpenAI's reasons why an answer ends


@dataclass(frozen=True, kw_only=True)
class AnswerPart:
    """The next part of an answer; the last one has a `finish_reason`.

    `tokens`: of the answer so far, its end token included. `logprobs`: OpenAI's entries of this part's tokens, None
    where the request asks for none. `calls`: complete ones, which are not in the text; nor is the `thought`.
    """

    text: str
    tokens: int
    logprobs: tuple[dict[str, Any], ...] | None = None
    finish_reason: str | None = None
    calls: tuple[ToolCall, ...] = ()
    thought: str = ""


class StopTexts:
    """Cuts an answer before the first of the stop texts, even if one arrives in several parts."""

    def __init__(self, stop: Sequence[str]) -> None:
        self.stop = tuple(stop)
        self.stopped = False
        self._pending = ""  # may be the beginning of a stop text

    def add(self, text: str, *, last: bool = False) -> str:
        """The text that is certain to come before any stop text; `last`: nothing follows."""
        if self.stopped:
            return ""
        text = self._pending + text
        if found := [at for at in (text.find(stop) for stop in self.stop) if at >= 0]:
            self.stopped, self._pending = True, ""
            return text[: min(found)]
        pending = 0 if last else max((overlap(text, stop) for stop in self.stop), default=0)
        self._pending = text[len(text) - pending :]
        return text[: len(text) - pending]


def overlap(text: str, mark: str) -> int:
    """How many characters at the end of the text are the beginning of the mark."""
    return next((size for size in range(min(len(mark) - 1, len(text)), 0, -1) if text.endswith(mark[:size])), 0)


def _frame(kind: str, request: ChatRequest) -> dict[str, Any]:
    number = f"chatcmpl-{secrets.token_hex(16)}"
    return {"id": number, "object": kind, "created": int(time.time()), "model": request.model}


def _usage(prompt_tokens: int, tokens: int) -> dict[str, int]:
    return {"prompt_tokens": prompt_tokens, "completion_tokens": tokens, "total_tokens": prompt_tokens + tokens}


def call_entry(call: ToolCall) -> dict[str, Any]:
    """OpenAI's object of a call, under an id of its own."""
    return {"id": f"call_{secrets.token_hex(12)}", **call.to_dict()}


def _logprobs(entries: Sequence[dict[str, Any]] | None) -> dict[str, Any] | None:
    return None if entries is None else {"content": list(entries)}


async def chat_completion(request: ChatRequest, prompt_tokens: int, parts: AsyncIterator[AnswerPart]) -> dict[str, Any]:
    """OpenAI's chat.completion object; raises RequestError if the answer is cancelled before its end."""
    found = [part async for part in parts]
    if not found or found[-1].finish_reason is None:
        raise stopping()
    logprobs = None if request.top_logprobs is None else [entry for part in found for entry in part.logprobs or ()]
    text, calls = "".join(part.text for part in found), [call_entry(call) for part in found for call in part.calls]
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else text), "refusal": None}
    if calls:
        message["tool_calls"] = calls
    if request.thinking:
        message["reasoning_content"] = "".join(part.thought for part in found).strip("\n") or None
    choice = {
        "index": 0, "message": message, "logprobs": _logprobs(logprobs), "finish_reason": found[-1].finish_reason
    }  # fmt: skip
    return {
        **_frame("chat.completion", request), "choices": [choice], "usage": _usage(prompt_tokens, found[-1].tokens)
    }  # fmt: skip


async def chat_chunks(
    request: ChatRequest, prompt_tokens: int, parts: AsyncIterator[AnswerPart]
) -> AsyncGenerator[dict[str, Any]]:
    """OpenAI's chat.completion.chunk objects, as the parts come; if the answer is cancelled, none has a reason."""
    frame, role = _frame("chat.completion.chunk", request), {"role": "assistant"}
    called = 0
    async for part in parts:
        delta: dict[str, Any] = {**role, "content": part.text or (None if part.calls else part.text)}
        if part.calls:
            delta["tool_calls"] = [
                {"index": index, **call_entry(call)} for index, call in enumerate(part.calls, start=called)
            ]
            called += len(part.calls)
        if part.thought:
            delta = (
                {**role, "reasoning_content": part.thought}
                if not part.text and not part.calls
                else ({**delta, "reasoning_content": part.thought})
            )
        role = {}
        choice = {"index": 0, "delta": delta, "logprobs": _logprobs(part.logprobs), "finish_reason": None}
        yield {**frame, "choices": [choice]}
        if part.finish_reason is not None:
            end = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": part.finish_reason}
            yield {**frame, "choices": [end]}
            if request.include_usage:
                yield {**frame, "choices": [], "usage": _usage(prompt_tokens, part.tokens)}
