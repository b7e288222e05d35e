"""Who reaches the routes: under which host names, and from pages of which origins. Both lists are exact."""

import re
from collections.abc import Collection
from ipaddress import AddressValueError, IPv6Address
from typing import Any
from urllib.parse import unquote

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse

from toolkit.core.errors import ConfigError
from toolkit.serve.openai import RequestError

HOST = re.compile(r"(?P<name>[a-z0-9._-]{1,253}|\[(?P<ipv6>[0-9a-f:.]{2,45})\])(?::(?P<port>[0-9]{0,5}))?")
ABSOLUTE_TARGET = re.compile(r"https?://(?P<host>[^/?#]*)(?P<path>/[^?#]*)?", re.IGNORECASE)
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
DEFAULT_PORTS = {"http": "80", "https": "443"}
LARGEST_PORT = 65535


def host_name(value: str) -> str | None:
    """The name in a Host header's value, in lower case, an IPv6 address in its shortest form; None if malformed.

    Source: RFC 9110, section 7.2, of whose names only those are read that DNS can have.
    """
    found = HOST.fullmatch(value.lower()) if value.isascii() else None
    if found is None or int(found["port"] or 0) > LARGEST_PORT:
        return None
    if found["ipv6"] is None:
        return found["name"]
    try:
        return str(IPv6Address(found["ipv6"]))
    except AddressValueError:
        return None


def read_origin(text: str) -> str:
    """An origin as browsers write it: scheme://host, and a port that is not the scheme's own. Raises ConfigError."""
    scheme, separator, host = text.strip().lower().partition("://")
    name = host_name(host)
    if not separator or not SCHEME.fullmatch(scheme) or name is None:
        raise ConfigError(
            f"{text!r} is not an origin.",
            next='Write scheme, host and port as the browser does: http://localhost:3000. "*" is not possible.',
        )
    port = host.rpartition(":")[2] if not host.endswith("]") and ":" in host else ""
    shown = f"[{name}]" if ":" in name else name
    return f"{scheme}://{shown}" + ("" if port in {"", DEFAULT_PORTS.get(scheme)} else f":{int(port)}")


def error_reply(error: RequestError) -> JSONResponse:
    """The reply in OpenAI's form."""
    headers = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "2"}, 503: {"Retry-After": "2"}}
    return JSONResponse(error.to_dict(), error.status, headers=headers.get(error.status))


class KnownHosts:
    """Refuses requests that name another host than `hosts` (None: any), or none, or one that cannot be read.

    DNS rebinding: a page elsewhere can point its own name at this address, and would then be same-origin. The names of
    proxies (X-Forwarded-Host) do not count.
    """

    def __init__(self, app: Any, hosts: Collection[str] | None) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            scope = self._checked(scope)
        except RequestError as error:
            await error_reply(error)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _checked(self, scope: Any) -> Any:
        """The scope, with the path of an absolute target (RFC 9112, section 3.2.2). Raises RequestError."""
        headers = [value.decode("latin-1") for key, value in scope["headers"] if key == b"host"]
        if len(headers) != 1:
            raise _malformed(f"{len(headers)} Host headers")
        self._require_known(headers[0])
        target = scope["raw_path"].decode("latin-1")
        if target.startswith("/") or target == "*":
            return scope
        absolute = ABSOLUTE_TARGET.fullmatch(target)
        if absolute is None:
            raise _malformed("its target")
        self._require_known(absolute["host"])
        path = absolute["path"] or "/"
        return {**scope, "path": unquote(path), "raw_path": path.encode("latin-1")}

    def _require_known(self, value: str) -> None:
        name = host_name(value)
        if name is None:
            raise _malformed("its Host header")
        if self.hosts is not None and name not in self.hosts:
            raise RequestError(403, f"This server is not called {name}.", code="unknown_host")


def _malformed(what: str) -> RequestError:
    return RequestError(400, f"The request is malformed: {what}.", code="invalid_request")


def guarded(app: Any, *, hosts: Collection[str] | None, origins: Collection[str]) -> Any:
    """The ASGI application behind the host names, for pages of its own and of these origins."""
    if origins:  # no cookies are used, so no credentials; a key travels in a header
        app = CORSMiddleware(
            app, allow_origins=tuple(origins), allow_methods=("GET", "POST"), allow_headers=("*",),
            allow_private_network=True, expose_headers=("Retry-After",),
        )  # fmt: skip
    return KnownHosts(app, hosts)
