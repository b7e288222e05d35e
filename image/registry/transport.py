"""HTTP to one registry. TLS is never dropped on the way, a login never leaves its host, and every answer is bounded.

- An https registry can refer (by redirect, upload location or token server) only to https URLs.
- Only the URL that a request was made for gets its Authorization header: a redirect to another host, port or scheme
  goes without it. Neither .netrc nor cookies nor a user name in a URL add one.
- An answer has at most MAX_BODY_BYTES, unless its size is known, and a time limit in all, not only between two bytes.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any, BinaryIO
from urllib.parse import urljoin

from image.core.address import LOOPBACK, Address
from image.core.errors import RegistryError
from image.core.text import printable

TIMEOUT_S = 120.0  # without a byte from the server
ANSWER_S = 300.0  # for a complete answer, besides the time that the bytes sent or expected take
SLOWEST_BYTES_PER_S = 16 * 1024
BLOCK_BYTES = 1024 * 1024
MAX_BODY_BYTES = 4 * 1024 * 1024  # the distribution specification's limit for a manifest
MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
KEEP_METHOD = frozenset({307, 308})


@dataclass(frozen=True, kw_only=True)
class Origin:
    scheme: str
    host: str  # in lower case; an IPv6 address in brackets
    port: int

    @property
    def on_loopback(self) -> bool:
        return LOOPBACK.fullmatch(self.host) is not None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`origin`: of the URL that answered in the end. `body` is empty if it went to a file."""

    method: str
    origin: Origin
    status_code: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return self.status_code < HTTPStatus.BAD_REQUEST

    def json(self) -> Any:
        """Raises ValueError if the body is not JSON."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None


@dataclass(frozen=True, kw_only=True)
class Sink:
    """Where the body of a successful answer goes. Nothing is written if the server announces another size."""

    file: BinaryIO
    size_bytes: int


class Transport:
    """`verify` is as in requests: a bundle's path or a flag."""

    def __init__(self, address: Address, *, scheme: str, verify: str | bool) -> None:
        import requests

        self._address, self._verify = address, verify
        self.base_url = f"{scheme}://{address.server}"
        self._session = requests.Session()
        self._session.trust_env = not address.on_loopback  # loopback is behind no proxy
        self._session.auth = _keep_as_it_is  # else requests takes a login from .netrc, or from the URL
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.origin = self.origin_of(f"{self.base_url}/")

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        authorization: str = "",
        data: Any = None,
        follow: bool = True,
        sink: Sink | None = None,
    ) -> Answer:
        """One answer, after redirects if `follow`. Raises RegistryError, and requests' own errors."""
        size_bytes = sink.size_bytes if sink else len(data or b"")
        return self._within(
            ANSWER_S + size_bytes / SLOWEST_BYTES_PER_S,
            lambda: self._send(method, url, dict(headers or {}), authorization, data, follow=follow, sink=sink),
        )

    def _send(
        self, method: str, url: str, headers: dict[str, str], authorization: str, data: Any, *, follow: bool,
        sink: Sink | None,
    ) -> Answer:  # fmt: skip
        first = self.origin_of(url)
        for _ in range(MAX_REDIRECTS + 1):
            origin = self.origin_of(url)
            if origin != first:
                authorization = ""  # and not again, should a later redirect lead back
            login = {"Authorization": authorization} if authorization else {}
            with self._session.request(
                method, url, headers={"Accept-Encoding": "identity"} | headers | login, data=data, stream=True,
                allow_redirects=False, verify=self._verify, timeout=TIMEOUT_S,
            ) as response:  # fmt: skip
                target = self._redirect_target(method, url, response) if follow else None
                if target is None:
                    return Answer(
                        method=method, origin=origin, status_code=response.status_code, reason=response.reason or "",
                        headers=response.headers, body=self._read(response, sink),
                    )  # fmt: skip
            url = target
        raise self._error(f"the registry redirects more than {MAX_REDIRECTS} times")

    def origin_of(self, url: str) -> Origin:
        """Of `url`, as the connection will parse it. Raises RegistryError if an https registry refers to http."""
        from urllib3.exceptions import LocationParseError
        from urllib3.util import parse_url

        try:
            parts = parse_url(url)
        except LocationParseError as error:
            raise self._error(f"the registry refers to {printable(url, 100)!r}, which is not a URL") from error
        scheme, host = parts.scheme or "", parts.host or ""
        if scheme not in {"http", "https"} or not host:
            raise self._error(f"the registry refers to {printable(url, 100)!r}, which is not a URL of a server")
        if scheme == "http" and self.base_url.startswith("https:"):
            raise self._error(f"the registry refers to {printable(host, 100)} without TLS")
        return Origin(scheme=scheme, host=host.lower(), port=parts.port or (443 if scheme == "https" else 80))

    def _redirect_target(self, method: str, url: str, response: Any) -> str | None:
        """Where to send the request again; None for an answer that is not a redirect, or not one for this method."""
        location = response.headers.get("Location")
        allowed = KEEP_METHOD if method not in {"GET", "HEAD"} else REDIRECTS
        if not location or response.status_code not in allowed:
            return None
        try:
            return str(urljoin(url, location))
        except ValueError as error:
            raise self._error(f"the registry refers to {printable(location, 100)!r}, which is not a URL") from error

    def _read(self, response: Any, sink: Sink | None) -> bytes:
        if sink is not None and response.ok:
            if response.headers.get("Content-Length", "") in {"", str(sink.size_bytes)}:  # else nothing is written
                _copy(response.iter_content(BLOCK_BYTES), sink)
            return b""
        body = bytearray()
        for block in response.iter_content(64 * 1024):
            body += block
            if len(body) > MAX_BODY_BYTES:
                raise self._error(f"the registry's answer is larger than {MAX_BODY_BYTES // 1024**2} MiB")
        return bytes(body)

    def _within(self, seconds: float, work: Callable[[], Answer]) -> Answer:
        """The result of `work`, which gets its own thread: no time-out of a socket ends an answer that only drips."""
        future: Future[Answer] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  # the caller raises it
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        try:
            return future.result(timeout=seconds)
        except TimeoutError:
            if future.done():  # the work's own error
                raise
            raise self._error(f"no complete answer within {seconds:.0f} s") from None

    def _error(self, why: str) -> RegistryError:
        return RegistryError(
            f"{self._address}: {why}.", next="Nothing more was sent. Check the address, or ask the registry's operator."
        )


def _copy(blocks: Iterable[bytes], sink: Sink) -> None:
    received_bytes = 0
    for block in blocks:
        received_bytes += len(block)
        if received_bytes > sink.size_bytes:
            return
        sink.file.write(block)


def _keep_as_it_is(request: Any) -> Any:
    return request
