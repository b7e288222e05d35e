"""The studio's routes: pages, actions, and the events that say that something has changed."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from toolkit.compare.texts import LANGUAGES
from toolkit.core.errors import ToolkitError, first_line
from toolkit.studio.actions import ACTIONS, Action
from toolkit.studio.agents.http import AgentsOverHttp
from toolkit.studio.desk import Desk, Wording
from toolkit.studio.forms import Form, read_form
from toolkit.studio.guard import AGENTS, FORM_TOKEN, REPORT_POLICY, form_token, guarded
from toolkit.studio.pages.data_pages import data_page, plan_page, start_page
from toolkit.studio.pages.job_pages import job_page, jobs_page
from toolkit.studio.pages.page import TEMPLATES, Reader, language_of, message, page
from toolkit.studio.pages.run_pages import pair_html, pair_page, report_html, run_page, runs_page
from toolkit.studio.pages.sweep_pages import one_sweep_page, sweep_html

LANGUAGE = "language"
LOOK_EVERY_S = 0.5
ALIVE_EVERY_S = 15.0  # so that a proxy keeps the connection
REPORT_STYLE = TEMPLATES.parents[2] / "compare" / "report" / "report.css"
STYLES = (REPORT_STYLE, TEMPLATES / "studio.css")
SCRIPT = TEMPLATES / "studio.js"
Show = Callable[[Desk, Reader, Request], str]
# Pages by path; those that a page of ours frames are in FRAMED, with a policy of their own.
PAGES: dict[str, Show] = {
    "/": lambda desk, reader, _: start_page(desk, reader),
    "/data": lambda desk, reader, request: data_page(
        desk, reader, request.query_params.get("file", ""), _number(request.query_params.get("page", "1"))
    ),
    "/plan": lambda desk, reader, request: plan_page(
        desk, reader, request.query_params.get("file", ""), dict(request.query_params)
    ),
    "/frame": lambda desk, reader, _: page("base", desk, reader, title="", section="frame"),
    "/jobs": lambda desk, reader, _: jobs_page(desk, reader),
    "/jobs/{number:int}": lambda desk, reader, request: job_page(desk, reader, request.path_params["number"]),
    "/runs": lambda desk, reader, request: runs_page(
        desk, reader, request.query_params.get("q", ""), request.query_params.get("verdict", "")
    ),
    "/runs/{run}": lambda desk, reader, request: run_page(desk, reader, request.path_params["run"]),
    "/pair": lambda desk, reader, request: pair_page(desk, reader, tuple(request.query_params.getlist("run"))),
    "/sweeps/{name}": lambda desk, reader, request: one_sweep_page(desk, reader, request.path_params["name"]),
}
FRAMED: dict[str, Show] = {
    "/runs/{run}/report": lambda desk, _, request: report_html(desk, request.path_params["run"]),
    "/pair/{left}/{right}": lambda desk, reader, request: pair_html(
        desk, reader, request.path_params["left"], request.path_params["right"]
    ),
    "/sweeps/{name}/page": lambda desk, reader, request: sweep_html(desk, reader, request.path_params["name"]),
}


@dataclass(kw_only=True)
class Site:
    """`names`: the host names that this server answers to; `notify`: who runs it reads of failures."""

    desk: Desk
    token: str
    names: frozenset[str]
    port: int
    notify: Callable[[str], None]
    wording: Wording
    stopping: bool = field(default=False, init=False)
    version: str = field(default="", init=False)
    looked_at: float = field(default=0.0, init=False)

    def app(self) -> Any:
        """The ASGI application, behind the guard."""
        app = Starlette(
            routes=[
                *(Route(path, self._page(show)) for path, show in PAGES.items()),
                *(Route(path, self._page(show, {"Content-Security-Policy": REPORT_POLICY}))
                  for path, show in FRAMED.items()),
                *(Route(path, self._action(action), methods=["POST"]) for path, action in ACTIONS.items()),
                Route("/language", self._choose_language, methods=["POST"]),
                Route("/events", self._events),
                Route("/style.css", self._style),
                Route("/script.js", self._script),
                Route("/health", self._health),
                Route(AGENTS, AgentsOverHttp(self.desk, lambda: self.stopping)),
            ],
            exception_handlers={
                ToolkitError: self._on_toolkit_error, HTTPException: self._on_http_error,
                OSError: self._on_disk_error, Exception: self._on_bug,
            },
        )  # fmt: skip
        return guarded(
            app, names=self.names, token=self.token, port=self.port, refuse=self._refusal, welcome=self._welcome
        )

    def stop(self) -> None:
        """Ends the streams of events. Safe in a signal handler."""
        self.stopping = True

    def _reader(self, request: Request) -> Reader:
        accepted = request.headers.get("accept-language", "")
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        lang = language_of(request.cookies.get(LANGUAGE), accepted)
        return Reader(lang=lang, form_token=form_token(self.token), here=here, phrase=self.wording.phrase)

    def _page(self, show: Show, headers: dict[str, str] | None = None) -> Callable[[Request], Response]:
        """Starlette calls it in a thread: pages read files."""

        def endpoint(request: Request) -> Response:
            return HTMLResponse(show(self.desk, self._reader(request), request), headers=headers)

        return endpoint

    def _action(self, action: Action) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            form = await self._form(request)
            path = await run_in_threadpool(action, self.desk, self._reader(request).lang, form)
            return RedirectResponse(path, 303)

        return endpoint

    async def _form(self, request: Request) -> Form:
        form = await read_form(request)
        if not hmac.compare_digest(form.text(FORM_TOKEN).encode(), form_token(self.token).encode()):
            raise HTTPException(403)
        return form

    async def _choose_language(self, request: Request) -> Response:
        form = await self._form(request)
        back, lang = form.text("back"), form.text("language")
        own = back.startswith("/") and not back.startswith(("//", "/\\"))
        reply = RedirectResponse(back if own else "/", 303)
        reply.set_cookie(LANGUAGE, lang if lang in LANGUAGES else "en", httponly=True, samesite="strict")
        return reply

    async def _events(self, _: Request) -> Response:
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(self._versions(), media_type="text/event-stream", headers=headers)

    async def _versions(self) -> AsyncIterator[str]:
        """The version of everything that pages show, at first and whenever it changes."""
        seen, waited_s = "", 0.0
        while not self.stopping:
            now = await self._current_version()
            if now != seen:
                seen, waited_s = now, 0.0
                yield f"data: {now}\n\n"
            elif waited_s >= ALIVE_EVERY_S:
                waited_s = 0.0
                yield ":\n\n"
            await asyncio.sleep(LOOK_EVERY_S)
            waited_s += LOOK_EVERY_S

    async def _current_version(self) -> str:
        """Looked up once for all browsers."""
        now = asyncio.get_running_loop().time()
        if now - self.looked_at >= LOOK_EVERY_S / 2:
            self.looked_at = now
            self.version = await run_in_threadpool(self.desk.version)
        return self.version

    async def _style(self, _: Request) -> Response:
        return Response(_joined(*STYLES), media_type="text/css")

    async def _script(self, _: Request) -> Response:
        return Response(_joined(SCRIPT), media_type="text/javascript")

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "stopping" if self.stopping else "ok"})

    def _refusal(self, status: int, key: str) -> Response:
        """Without a request to read a language from: in both."""
        readers = [Reader(lang=lang, form_token="") for lang in LANGUAGES]
        text = " ".join(reader.texts(f"message.{key}") for reader in readers)
        return HTMLResponse(message(readers[0], text, enter=key != "elsewhere"), status)

    def _welcome(self) -> Response:
        """The cookie counts on a page that ours leads to, whatever led here."""
        reader = Reader(lang="en", form_token="")
        return HTMLResponse(message(reader, reader.texts("message.welcome"), onward="/"))

    async def _on_toolkit_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, ToolkitError)
        reader = self._reader(request)
        return HTMLResponse(message(reader, self.wording.failure(error, reader.lang), back=_back(request)), 400)

    async def _on_http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        reader = self._reader(request)
        text = reader.texts("message.elsewhere" if error.status_code == 403 else "message.missing")  # noqa: PLR2004
        return HTMLResponse(message(reader, text, back="/"), error.status_code, headers=error.headers)

    async def _on_disk_error(self, request: Request, error: Exception) -> Response:
        """A full disk, or a folder that may not be written to: the studio goes on, and says so."""
        assert isinstance(error, OSError)
        reader = self._reader(request)
        text = reader.texts("message.disk", error=error.strerror or first_line(error))
        return HTMLResponse(message(reader, text, back=_back(request)), 507)

    async def _on_bug(self, request: Request, error: Exception) -> Response:
        self.notify(f"A page failed: {request.url.path}: {type(error).__name__}: {first_line(error)}")
        reader = self._reader(request)
        return HTMLResponse(message(reader, reader.texts("message.bug"), back="/"), 500)


def _back(request: Request) -> str:
    """The page of ours that the reader comes from."""
    origin = f"//{request.headers.get('host', '')}/"
    before = request.headers.get("referer", "").partition(origin)[2]
    return f"/{before}"


def _joined(*files: Path) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1  # noqa: PLR2004
