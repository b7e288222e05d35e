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

from toolkit.core.errors import first_line
from toolkit.model.conversation import Messages
from toolkit.serve.openai import ChatAsked, RequestError, read_request

PAGE = Path(__file__).with_name("chat.html")
BODY_BYTES = 4_000_000  # many times the longest context of the models that are served here
LOOK_EVERY_S = 0.2  # whether the server is stopping
NO_CACHE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Answerer(Protocol):
    """The models behind the routes; `gone` is set when nobody waits for the answer any more."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def context_tokens(self) -> int: ...
    def count_tokens(self, messages: Messages) -> int: ...
    async def whole(self, asked: ChatAsked, gone: Event) -> dict[str, Any]: ...
    def pieces(self, asked: ChatAsked, gone: Event) -> AsyncIterator[dict[str, Any]]: ...
    def end(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Rules:
    """`hosts`: what a client may call this server, None for anything; `at_once`: questions under way and waiting."""

    system: str
    max_new_tokens: int
    max_concurrent: int
    api_key: str | None = None
    hosts: frozenset[str] | None = None


@dataclass(kw_only=True)
class Site:
    """The routes, and what is under way."""

    answerer: Answerer
    rules: Rules
    notify: Callable[[str], None]
    started_at: int = field(default_factory=lambda: int(time.time()))
    active: set[Event] = field(default_factory=set)
    stopping: bool = False

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self.page),
                Route("/health", self.health),
                Route("/v1/models", self.models),
                Route("/v1/models/{name:path}", self.model),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
            ],
            exception_handlers={
                RequestError: self._refused,
                HTTPException: self._not_here,
                Exception: self._failed,
            },
        )

    def stop(self) -> None:
        """Answers under way end at their next token, and say so. Safe in a signal handler."""
        self.stopping = True
        for gone in list(self.active):
            gone.set()

    async def page(self, request: Request) -> Response:
        self._require_known_host(request)
        page, policy = page_and_policy()
        told = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", **NO_CACHE}
        return HTMLResponse(page, headers=told)

    async def health(self, _: Request) -> Response:
        if self.stopping:
            return JSONResponse({"status": "stopping"}, 503)
        return JSONResponse({"status": "ok", "under_way": len(self.active), "at_once": self.rules.max_concurrent})

    async def models(self, request: Request) -> Response:
        self._authorize(request)
        return JSONResponse({"object": "list", "data": [self._model(name) for name in self.answerer.names]})

    async def model(self, request: Request) -> Response:
        self._authorize(request)
        name = request.path_params["name"]
        if name not in self.answerer.names:
            raise RequestError(404, f"No model {name!r} here. See /v1/models.", code="model_not_found", param="model")
        return JSONResponse(self._model(name))

    def _model(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self.started_at, "owned_by": "toolkit"}

    async def chat(self, request: Request) -> Response:
        self._authorize(request)
        asked = read_request(
            await _body(request), names=self.answerer.names, system=self.rules.system,
            max_new_tokens=self.rules.max_new_tokens,
        )  # fmt: skip
        tokens, room = self.answerer.count_tokens(asked.messages), self.answerer.context_tokens
        if tokens >= room:
            raise RequestError(
                400, f"The messages are {tokens} tokens long; this model reads {room}, its answer included.",
                code="context_length_exceeded", param="messages",
            )  # fmt: skip
        gone = self._begin()
        if asked.stream:
            return Stream(self._events(asked, gone), lambda: self._end(gone))
        try:
            return JSONResponse(await self._whole(asked, gone, request), headers=NO_CACHE)
        finally:
            self._end(gone)

    def _begin(self) -> Event:
        self._require_running()
        if len(self.active) >= self.rules.max_concurrent:
            raise RequestError(
                429, f"{self.rules.max_concurrent} questions are under way or waiting already. Ask again later.",
                code="rate_limit_exceeded",
            )  # fmt: skip
        gone = Event()
        self.active.add(gone)
        return gone

    def _require_running(self) -> None:
        if self.stopping:
            raise RequestError(503, "The server is stopping.", code="server_stopping")

    def _end(self, gone: Event) -> None:
        gone.set()
        self.active.discard(gone)

    async def _whole(self, asked: ChatAsked, gone: Event, request: Request) -> dict[str, Any]:
        """The answer, unless the client leaves or the server stops before."""
        answer = asyncio.ensure_future(self.answerer.whole(asked, gone))
        left = asyncio.ensure_future(_until_left(request))
        try:
            while not answer.done() and not left.done() and not self.stopping:
                await asyncio.wait({answer, left}, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
            self._require_running()
            if not answer.done():
                raise RequestError(499, "The client left.", code="client_left")  # nobody reads it
            return await answer
        finally:
            for one in (answer, left):
                one.cancel()

    async def _events(self, asked: ChatAsked, gone: Event) -> AsyncIterator[str]:
        """Server-sent events; a failure is one too, since the status is told already."""
        try:
            async with contextlib.aclosing(self.answerer.pieces(asked, gone)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    self._require_running()
                    yield _event(piece)
        except RequestError as error:
            yield _event(error.to_dict())
        except Exception as error:  # noqa: BLE001  # the client is told, and so is who runs the server
            yield _event(self._broken(error).to_dict())
        else:
            yield "data: [DONE]\n\n"

    def _authorize(self, request: Request) -> None:
        self._require_known_host(request)
        if self.rules.api_key is None:
            return
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        right = secrets.compare_digest(key.strip().encode(), self.rules.api_key.encode())
        if scheme.lower() != "bearer" or not right:
            raise RequestError(401, "The API key is missing or wrong.", code="invalid_api_key")

    def _require_known_host(self, request: Request) -> None:
        """A page elsewhere can point its own name at this address, and would then count as this very site."""
        name = request.url.hostname
        if self.rules.hosts is not None and name not in self.rules.hosts:
            raise RequestError(403, f"This server is not called {name}.", code="unknown_host")

    async def _refused(self, _: Request, error: Exception) -> Response:
        assert isinstance(error, RequestError)
        headers = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "2"}}.get(error.status)
        return JSONResponse(error.to_dict(), error.status, headers=headers)

    async def _not_here(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        told = f"{error.detail}: {request.method} {request.url.path}."
        return JSONResponse(
            RequestError(error.status_code, told, code="not_found").to_dict(), error.status_code, headers=error.headers
        )

    async def _failed(self, _: Request, error: Exception) -> Response:
        return JSONResponse(self._broken(error).to_dict(), 500)

    def _broken(self, error: Exception) -> RequestError:
        """A model that fails may quote the question: who runs the server reads it, the client does not."""
        self.notify(f"An answer failed: {type(error).__name__}: {first_line(error)}")
        return RequestError(500, f"The model failed: {type(error).__name__}.", code="model_failed")


class Stream(StreamingResponse):
    """Tells when it is over, also where the client left before it began."""

    def __init__(self, events: AsyncIterator[str], over: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={**NO_CACHE, "X-Accel-Buffering": "no"})
        self.over = over

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.over()


async def _body(request: Request) -> bytes:
    """JSON by name: a form of a page elsewhere cannot send that without being asked first (CORS)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError(415, "Send JSON: Content-Type: application/json.", code="unsupported_media_type")
    read = bytearray()
    async for piece in request.stream():
        read += piece
        if len(read) > BODY_BYTES:
            raise RequestError(413, f"The body is longer than {BODY_BYTES} bytes.", code="body_too_long")
    return bytes(read)


async def _until_left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _event(told: dict[str, Any]) -> str:
    return f"data: {json.dumps(told, ensure_ascii=False)}\n\n"


@cache
def page_and_policy() -> tuple[str, str]:
    """The page, and its Content-Security-Policy: its own style and script by their hashes, its own server, no more."""
    page = PAGE.read_text(encoding="utf-8")
    style, script = (_hash(page, tag) for tag in ("style", "script"))
    return page, (
        f"default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(page: str, tag: str) -> str:
    [inner] = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()}'"
