"""Who may use the studio: the browser that was opened with the token, on a page of the studio itself.

The token comes in the address on the first visit and is then a cookie that scripts and other sites do not see. A
request that changes something must be a POST of the studio's own page: its Origin, and a word in the form that only
these pages have. An agent sends the token with each request instead, in a header that no browser adds by itself.
"""

import hashlib
import hmac
from collections.abc import Callable, Collection
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse, Response

from toolkit.serve.access import KnownHosts, host_name

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A report has its own, stricter, policy in its head: its style by hash, and nothing else.
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # no-referrer would make the Origin of our own forms null
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
AGENTS = "/mcp"
OPEN_PATHS = frozenset({"/health", "/style.css"})
TOKEN, FORM_TOKEN = "token", "form_token"  # names of fields
Refusal = Callable[[int, str], Response]


def form_token(token: str) -> str:
    """The word that forms have: it shows that a page of ours was read, and tells nothing of the token."""
    return hmac.new(token.encode(), b"form", hashlib.sha256).hexdigest()


class Guard:
    """ASGI middleware. `names`: exact host names; `refuse`: the page for a status and the key of its text.

    `welcome`: the page for who came with the token; it leads on from within our origin, where the cookie counts.
    """

    def __init__(
        self, app: Any, *, token: str, names: Collection[str], port: int, refuse: Refusal,
        welcome: Callable[[], Response],
    ) -> None:  # fmt: skip
        self.app, self.token, self.names = app, token, names
        self.cookie = f"studio-{port}"  # cookies do not tell ports apart
        self.refuse, self.welcome = refuse, welcome

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in {"Content-Security-Policy": POLICY, **HEADERS}.items():
                    found.setdefault(name, value)
            await send(message)

        reply = self._reply(scope, headers)
        await (self.app if reply is None else reply)(scope, receive, sending)

    def _reply(self, scope: Any, headers: dict[str, str]) -> Response | None:
        """What is answered in place of the page; None to go on."""
        if scope["path"] in OPEN_PATHS:
            return None
        if scope["path"] == AGENTS:
            return self._agent(headers)
        if scope["method"] in {"GET", "HEAD"}:
            given = parse_qs(scope["query_string"].decode("latin-1")).get(TOKEN)
            if scope["path"] == "/" and given:
                return self._enter(given[0])
            return None if self._knows(headers) else self.refuse(403, "enter")
        if not self._knows(headers):
            return self.refuse(403, "enter")
        return None if self._is_own_page(headers) else self.refuse(403, "elsewhere")

    def _enter(self, given: str) -> Response:
        if not _same(given, self.token):
            return self.refuse(403, "wrong")
        reply = self.welcome()
        reply.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
        return reply

    def _agent(self, headers: dict[str, str]) -> Response | None:
        """The cookie does not count; a page that sends the token still has to be ours."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not _same(given, self.token):
            text = "Send the token of the studio's address: Authorization: Bearer TOKEN."
            return PlainTextResponse(text, 401, {"WWW-Authenticate": "Bearer"})
        if "origin" in headers and not self._is_own_page(headers):
            return PlainTextResponse("Not from a page of another origin.", 403)
        return None

    def _knows(self, headers: dict[str, str]) -> bool:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return found is not None and _same(found.value, self.token)

    def _is_own_page(self, headers: dict[str, str]) -> bool:
        """By its Origin: our own address, or a name that the user allowed, whose proxy may change Host."""
        where = headers.get("origin", "").partition("://")[2]
        if not where or headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        return where == headers.get("host") or (host_name(where) in self.names and host_name(where) not in LOCAL)


LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def guarded(app: Any, *, names: Collection[str], **settings: Any) -> Any:
    """The application behind its host names and the token."""
    return KnownHosts(Guard(app, names=names, **settings), frozenset(names))
