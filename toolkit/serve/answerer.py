"""A loaded model behind the routes: its names, its tokenizer off the event loop, and answers as they are decoded."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from queue import SimpleQueue
from threading import Event

from toolkit.compare.sides import call_form
from toolkit.data.tools.forms import CallForm
from toolkit.model.chat_template import opens_thought
from toolkit.model.conversation import TOOLS, Messages
from toolkit.model.generation import Row
from toolkit.model.language_model import LanguageModel
from toolkit.serve.completion import AnswerPart
from toolkit.serve.openai import ChatRequest
from toolkit.serve.scheduler import Question, Scheduler
from toolkit.serve.thoughts import with_thought

OPENING_TOKENS = 16  # at the end of a prompt: more than its last mark has
Deliver = Callable[[AnswerPart | Exception | None], None]


class ModelAnswerer:
    """Answers under each of its names.

    `adapters`: each name's adapter in the model, None for the base model. `aliases`: further names, and which name each
    stands for. `batch_size`: questions that are answered together.
    """

    def __init__(
        self, model: LanguageModel, adapters: Mapping[str, str | None], *, batch_size: int,
        aliases: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.model, self.names = model, tuple(adapters)
        further = {alias: adapters[name] for alias, name in (aliases or {}).items() if alias not in adapters}
        self.aliases, self.adapters = tuple(further), {**adapters, **further}
        self.scheduler = Scheduler(
            model.mixed_batch(), model.tokenizer, end_tokens=model.end_tokens, batch_size=batch_size
        )
        self.scheduler.start()
        self._tokenizing = ThreadPoolExecutor(1, "tokenizer")  # one: a long text must not take every core

    @property
    def context_tokens(self) -> int:
        return self.model.context_tokens

    @property
    def thinks(self) -> bool:
        return self.model.thinks

    @cached_property
    def _call_form(self) -> CallForm:
        return call_form(self.model)

    def call_form(self) -> CallForm:
        """How calls stand in the answers. Raises ModelError."""
        return self._call_form

    def warm_up(self) -> None:
        """Each name answers with one token; raises what the model raises."""
        prompt = self.model.prompt_ids([{"role": "user", "content": "Hello"}])
        found: SimpleQueue[AnswerPart | Exception | None] = SimpleQueue()
        rows = [Row(prompt=prompt, adapter=adapter) for adapter in dict.fromkeys(self.adapters.values())]
        self.scheduler.submit(
            *(Question(row=row, max_new_tokens=1, deliver=found.put, cancelled=Event()) for row in rows)
        )
        ended = 0
        while ended < len(rows):
            part = found.get()
            if isinstance(part, Exception):
                raise part
            ended += part is None

    async def encode(self, messages: Messages) -> list[int]:
        """The tokens up to where the answer begins. Raises ModelError also for tools whose calls could not be read."""
        if any(one["role"] == TOOLS for one in messages):
            self.call_form()  # raises
        return await asyncio.get_running_loop().run_in_executor(self._tokenizing, self.model.prompt_ids, messages)

    def answer(self, request: ChatRequest, prompt: list[int], cancelled: Event) -> AsyncIterator[AnswerPart]:
        """The parts of the answer; without a last one where `cancelled` ended it. Raises what the model raises."""
        parts = self._parts(request, prompt, cancelled)
        if not request.thinking:
            return parts
        opened = opens_thought(self.model.tokenizer.decode(list(prompt[-OPENING_TOKENS:])))
        return with_thought(parts, opened=opened)

    async def _parts(self, request: ChatRequest, prompt: list[int], cancelled: Event) -> AsyncIterator[AnswerPart]:
        loop = asyncio.get_running_loop()
        parts: asyncio.Queue[AnswerPart | Exception | None] = asyncio.Queue()

        def deliver(part: AnswerPart | Exception | None) -> None:
            with suppress(RuntimeError):  # the event loop has ended, and with it who waits
                loop.call_soon_threadsafe(parts.put_nowait, part)

        self.scheduler.submit(self._question(request, prompt, cancelled, deliver))
        while (part := await parts.get()) is not None:
            if isinstance(part, Exception):
                raise part
            yield part

    def _question(self, request: ChatRequest, prompt: list[int], cancelled: Event, deliver: Deliver) -> Question:
        row = Row(
            prompt=prompt, adapter=self.adapters[request.model], temperature=request.temperature, top_p=request.top_p,
            top_logprobs=request.top_logprobs,
        )  # fmt: skip
        room = self.context_tokens - len(prompt)
        return Question(
            row=row, max_new_tokens=min(request.max_new_tokens, room), stop=request.stop, deliver=deliver,
            cancelled=cancelled,
        )  # fmt: skip

    def close(self) -> None:
        """Cancels what is left and returns when the model is idle."""
        self._tokenizing.shutdown(wait=False, cancel_futures=True)
        self.scheduler.close()
