"""The HTTP routes: OpenAI's API, health, and the chat page."""

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from toolkit.core.errors import ModelError, first_line
from toolkit.data.tools.forms import CallForm
from toolkit.model.conversation import Messages, text_bytes
from toolkit.serve.access import error_reply, guarded
from toolkit.serve.body import BYTES_A_TOKEN, Bodies, largest_body_bytes, left
from toolkit.serve.completion import AnswerPart, chat_chunks, chat_completion
from toolkit.serve.openai import ChatRequest, RequestError, read_request, stopping
from toolkit.serve.tool_calls import with_calls

PAGE = Path(__file__).with_name("chat.html")
POLL_S = 0.2  # how often a waiting request checks whether the server is stopping
NO_CACHE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Answerer(Protocol):
    """The models behind the routes, `aliases` are not listed; `cancelled`: set when nobody waits for the answer."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...
    @property
    def context_tokens(self) -> int: ...
    @property
    def thinks(self) -> bool: ...
    def call_form(self) -> CallForm: ...
    async def encode(self, messages: Messages) -> list[int]: ...
    def answer(self, request: ChatRequest, prompt: list[int], cancelled: Event) -> AsyncIterator[AnswerPart]: ...
    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class SiteConfig:
    """For every request: `system` stands before messages without one, an answer has at most `max_new_tokens`, and
    `max_concurrent` questions are active and waiting. `hosts`: the names that a client may use for this server,
    None for any. `origins`: of pages elsewhere that may use it.
    """

    system: str
    max_new_tokens: int
    max_concurrent: int
    api_key: str | None = None
    hosts: frozenset[str] | None = None
    origins: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Site:
    """The routes, and the active questions: for each the event that cancels it."""

    answerer: Answerer
    config: SiteConfig
    notify: Callable[[str], None]
    started_at: int = field(default_factory=lambda: int(time.time()))
    active: set[Event] = field(default_factory=set)
    stopping: bool = False

    def __post_init__(self) -> None:
        self.bodies = Bodies(largest_body_bytes(self.answerer.context_tokens))

    def app(self) -> Any:
        """The ASGI application."""
        app = Starlette(
            routes=[
                Route("/", self.page),
                Route("/health", self.health),
                Route("/v1/models", self.models),
                Route("/v1/models/{name:path}", self.model),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
            ],
            exception_handlers={
                RequestError: self._on_request_error,
                HTTPException: self._on_http_exception,
                Exception: self._on_exception,
            },
        )
        return guarded(app, hosts=self.config.hosts, origins=self.config.origins)

    def stop(self) -> None:
        """Active answers end at their next token, and their clients are informed. Safe in a signal handler."""
        self.stopping = True
        for cancelled in list(self.active):
            cancelled.set()

    async def page(self, _: Request) -> Response:
        page, policy = page_and_policy()
        headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", **NO_CACHE}
        return HTMLResponse(page, headers=headers)

    async def health(self, _: Request) -> Response:
        if self.stopping:
            return JSONResponse({"status": "stopping"}, 503)
        return JSONResponse({"status": "ok", "under_way": len(self.active), "at_once": self.config.max_concurrent})

    async def models(self, request: Request) -> Response:
        self._authorize(request)
        return JSONResponse({"object": "list", "data": [self._model(name) for name in self.answerer.names]})

    async def model(self, request: Request) -> Response:
        self._authorize(request)
        name = request.path_params["name"]
        if name not in self.answerer.names + self.answerer.aliases:
            raise RequestError(404, f"No model {name!r} here. See /v1/models.", code="model_not_found", param="model")
        return JSONResponse(self._model(name))

    def _model(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self.started_at, "owned_by": "toolkit"}

    async def chat(self, request: Request) -> Response:
        self._authorize(request)
        self._require_room()
        body = await self.bodies.read(request)
        with contextlib.ExitStack() as ending:
            cancelled = self._begin()
            ending.callback(self._end, cancelled)
            chat = await asyncio.to_thread(self._read, body)
            prompt = await self._prompt(chat)
            if chat.stream:
                return Stream(self._events(chat, prompt, cancelled), on_end=ending.pop_all().close)
            return JSONResponse(await self._completion(chat, prompt, cancelled, request), headers=NO_CACHE)

    def _read(self, body: bytes) -> ChatRequest:
        return read_request(
            body, names=self.answerer.names + self.answerer.aliases, system=self.config.system,
            max_new_tokens=self.config.max_new_tokens, thinks=self.answerer.thinks,
        )  # fmt: skip

    async def _prompt(self, chat: ChatRequest) -> list[int]:
        """The messages as tokens. Raises RequestError if the template refuses them, or they leave no room to answer."""
        context = self.answerer.context_tokens
        length = sum(map(text_bytes, chat.messages))
        if length > context * BYTES_A_TOKEN:  # so long that counting its tokens would hold up others
            raise _too_long(f"{length} bytes", context)
        try:
            prompt = await self.answerer.encode(chat.messages)
        except ModelError as error:
            raise RequestError(400, error.what, code="invalid_value", param="messages") from error
        if len(prompt) >= context:
            raise _too_long(f"{len(prompt)} tokens", context)
        return prompt

    def _begin(self) -> Event:
        self._require_room()
        cancelled = Event()
        self.active.add(cancelled)
        return cancelled

    def _require_room(self) -> None:
        """Asked before a body is read, too."""
        self._require_running()
        if len(self.active) >= self.config.max_concurrent:
            raise RequestError(
                429, f"{self.config.max_concurrent} questions are active or waiting already. Ask again later.",
                code="rate_limit_exceeded",
            )  # fmt: skip

    def _require_running(self) -> None:
        if self.stopping:
            raise stopping()

    def _end(self, cancelled: Event) -> None:
        cancelled.set()
        self.active.discard(cancelled)

    def _parts(self, chat: ChatRequest, prompt: list[int], cancelled: Event) -> AsyncIterator[AnswerPart]:
        parts = self.answerer.answer(chat, prompt, cancelled)
        return with_calls(parts, self.answerer.call_form()) if chat.calls else parts

    async def _completion(
        self, chat: ChatRequest, prompt: list[int], cancelled: Event, request: Request
    ) -> dict[str, Any]:
        """The complete answer, unless the client leaves or the server stops first."""
        parts = self._parts(chat, prompt, cancelled)
        answer = asyncio.ensure_future(chat_completion(chat, len(prompt), parts))
        disconnect = asyncio.ensure_future(_wait_for_disconnect(request))
        try:
            while not answer.done() and not disconnect.done() and not self.stopping:
                await asyncio.wait({answer, disconnect}, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
            self._require_running()
            if not answer.done():
                raise left()
            return await answer
        finally:
            for task in (answer, disconnect):
                task.cancel()

    async def _events(self, chat: ChatRequest, prompt: list[int], cancelled: Event) -> AsyncIterator[str]:
        """Server-sent events; a failure is one too, since the status has been sent already."""
        parts = self._parts(chat, prompt, cancelled)
        try:
            async with contextlib.aclosing(chat_chunks(chat, len(prompt), parts)) as chunks:
                async for chunk in chunks:
                    self._require_running()
                    yield _event(chunk)
            self._require_running()
        except RequestError as error:
            yield _event(error.to_dict())
        except Exception as error:  # noqa: BLE001  # the client learns of it, and so does who runs the server
            yield _event(self._model_failed(error).to_dict())
        else:
            yield "data: [DONE]\n\n"

    def _authorize(self, request: Request) -> None:
        if self.config.api_key is None:
            return
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        matches = secrets.compare_digest(key.strip().encode(), self.config.api_key.encode())
        if scheme.lower() != "bearer" or not matches:
            raise RequestError(401, "The API key is missing or wrong.", code="invalid_api_key")

    async def _on_request_error(self, _: Request, error: Exception) -> Response:
        assert isinstance(error, RequestError)
        return error_reply(error)

    async def _on_http_exception(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        message = f"{error.detail}: {request.method} {request.url.path}."
        return JSONResponse(
            RequestError(error.status_code, message, code="not_found").to_dict(), error.status_code,
            headers=error.headers,
        )  # fmt: skip

    async def _on_exception(self, _: Request, error: Exception) -> Response:
        return JSONResponse(self._model_failed(error).to_dict(), 500)

    def _model_failed(self, error: Exception) -> RequestError:
        """A failing model's message may quote the question: who runs the server reads it, the client does not."""
        self.notify(f"An answer failed: {type(error).__name__}: {first_line(error)}")
        return RequestError(500, f"The model failed: {type(error).__name__}.", code="model_failed")


class Stream(StreamingResponse):
    """Calls `on_end` when it is over, even if the client left before it began."""

    def __init__(self, events: AsyncIterator[str], *, on_end: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={**NO_CACHE, "X-Accel-Buffering": "no"})
        self.on_end = on_end

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.on_end()


def _too_long(length: str, context_tokens: int) -> RequestError:
    return RequestError(
        400, f"The messages are {length} long; this model reads {context_tokens} tokens, its answer included.",
        code="context_length_exceeded", param="messages",
    )  # fmt: skip


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


@cache
def page_and_policy() -> tuple[str, str]:
    """The page, and its Content-Security-Policy: only its own style and script (by hash) and its own server."""
    page = PAGE.read_text(encoding="utf-8")
    style, script = (_hash(page, tag) for tag in ("style", "script"))
    return page, (
        f"default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(page: str, tag: str) -> str:
    [inner] = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()}'"
