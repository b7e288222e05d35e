"""A registry on loopback, in memory: blobs, manifests, tokens for one scope each, and faults on demand."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

LOGIN = "Basic Y2k6c2VjcmV0"  # ci:secret
IDENTITY_TOKEN = "identity"


@dataclass
class FakeRegistry:
    """`auth`: "", "basic", "token" (anyone gets one for reading) or "private".

    `faults`: method and part of a path → statuses, one an answer. `has_referrers`: it lists what refers to a manifest,
    as registries of the distribution specification 1.1 do. `elsewhere`: its blobs are on another host name, as on a
    CDN, which notes the logins that it gets in `logins_elsewhere`. `token_server`: where it sends for a token.
    """

    auth: str = ""
    faults: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    logins_elsewhere: list[str] = field(default_factory=list)
    elsewhere: bool = False
    token_server: str = ""
    port: int = 0
    has_referrers: bool = False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def sent(self, method: str) -> list[str]:
        return [path for asked, path in self.asked if asked == method]


@contextmanager
def fake_registry(**settings) -> Iterator[FakeRegistry]:
    registry = FakeRegistry(**settings)
    handler = type("Bound", (_Handler,), {"registry": registry})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    registry.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    registry: FakeRegistry
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm, wbufsize = True, -1  # else each answer waits 40 ms

    def log_message(self, *_: object) -> None: ...

    def do_HEAD(self) -> None:
        self._answer()

    do_GET = do_POST = do_PUT = do_HEAD  # noqa: N815  # http.server's names

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        self.registry.asked.append((self.command, url.path))
        if login := self.headers.get("Authorization"):
            self.registry.logins.append(login)
        if url.path == "/token":
            self._token(parse_qs(url.query) | parse_qs(body.decode()))
        elif url.path.startswith("/cdn/"):
            self.registry.logins_elsewhere += filter(None, [self.headers.get("Authorization")])
            self._send(200, self.registry.blobs[url.path.removeprefix("/cdn/")])
        elif not self._allowed():
            self._challenge()
        elif (status := self._fault(url.path)) is not None:
            self._send(status, json.dumps({"errors": [{"code": "NO", "message": f"no, {status}"}]}).encode())
        else:
            self._serve(url.path, parse_qs(url.query), body)

    def _fault(self, path: str) -> int | None:
        for (method, part), statuses in self.registry.faults.items():
            if method == self.command and part in path and statuses:
                return statuses.pop(0)
        return None

    @property
    def _scope(self) -> str:
        return "pull" if self.command in {"GET", "HEAD"} else "pull,push"

    def _allowed(self) -> bool:
        login = self.headers.get("Authorization", "")
        if self.registry.auth == "basic":
            return login == LOGIN
        return not self.registry.auth or login.removeprefix("Bearer ") in {self._scope, "pull,push"}

    def _challenge(self) -> None:
        server = self.registry.token_server or f"http://{self.registry.address}"
        realm = f'Bearer realm="{server}/token",service="fake",scope="{self._scope}"'
        self._send(401, b"", {"WWW-Authenticate": 'Basic realm="fake"' if self.registry.auth == "basic" else realm})

    def _token(self, query: dict[str, list[str]]) -> None:
        scope = query.get("scope", ["pull"])[0]
        known = self.headers.get("Authorization") == LOGIN or query.get("refresh_token") == [IDENTITY_TOKEN]
        anyone = not self.headers.get("Authorization") and scope == "pull" and self.registry.auth != "private"
        allowed = known or anyone
        self._send(200 if allowed else 401, json.dumps({"token": scope}).encode() if allowed else b"")

    def _serve(self, path: str, query: dict[str, list[str]], body: bytes) -> None:
        blobs, manifests = self.registry.blobs, self.registry.manifests
        last = path.rpartition("/")[2]
        if self.registry.elsewhere and "/blobs/sha256" in path:
            port = self.registry.port
            self._send(307, b"", {"Location": f"http://localhost:{port}/cdn/{last}"})
        elif path == "/v2/":
            self._send(200, b"{}")
        elif path.endswith("/blobs/uploads/"):
            self._send(202, b"", {"Location": f"{path}session"})
        elif self.command == "PUT" and "/blobs/uploads/" in path:
            digest = query["digest"][0]
            right = f"sha256:{hashlib.sha256(body).hexdigest()}" == digest
            blobs |= {digest: body} if right else {}
            self._send(201 if right else 400, b"")
        elif self.command == "PUT":
            manifests |= {last: body, f"sha256:{hashlib.sha256(body).hexdigest()}": body}
            subject = json.loads(body).get("subject", {}).get("digest")
            listed = {"OCI-Subject": subject} if subject and self.registry.has_referrers else {}
            self._send(201, b"", listed)
        elif "/referrers/" in path and self.registry.has_referrers:
            self._send(200, json.dumps({"manifests": self._referrers(last)}).encode())
        elif (found := (manifests if "/manifests/" in path else blobs).get(last)) is not None:
            self._send(200, found)
        else:
            self._send(404, json.dumps({"errors": [{"code": "UNKNOWN", "message": "unknown"}]}).encode())

    def _referrers(self, subject: str) -> list[dict[str, str]]:
        found = {digest: json.loads(content) for digest, content in self.registry.manifests.items()}
        return [
            {"digest": digest, "artifactType": one["artifactType"]}
            for digest, one in found.items()
            if one.get("subject", {}).get("digest") == subject
        ]

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
