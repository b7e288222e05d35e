"""A hub on loopback with the shapes of both: huggingface.co's /resolve/ and ModelScope's /api/v1/models/…/repo.

Small files come straight, weights by a redirect to another host name, as from a CDN. Faults are set per file.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

REPOSITORY = "maker/small-model"
LINE_BLOCK = 64 * 1024
LISTING = "the list"  # in `refusals`
REVISION = "0123456789abcdef0123456789abcdef01234567"


def blob_id(content: bytes) -> str:
    """The name that git has for a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Asked:
    method: str
    name: str
    from_byte: int | None = None


@dataclass(kw_only=True)
class HubServer:
    files: dict[str, bytes]
    cuts: dict[str, list[int]] = field(default_factory=dict)  # name → after how many bytes, one cut a GET
    stalls: dict[str, int] = field(default_factory=dict)  # name → after how many bytes it falls silent
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)  # name → status, X-Error-Code
    before: dict[str, Callable[[], None]] = field(default_factory=dict)  # name → what happens before its bytes
    knows_ranges: bool = True
    bytes_per_s: float | None = None  # of the line, which all connections share
    dead: bool = False  # takes the connection and hangs up
    dies_at_a_cut: bool = False
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.stopped, self.stalled = threading.Event(), threading.Event()
        self._line, self._free_at = threading.Lock(), 0.0
        handler = type("Bound", (_Handler,), {"hub": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def heal(self) -> None:
        self.dead = self.dies_at_a_cut = False
        for faults in (self.cuts, self.stalls, self.refusals, self.before):
            faults.clear()

    def wait_for_the_line(self, count: int) -> None:
        """Until so many more bytes may go out."""
        assert self.bytes_per_s is not None
        with self._line:
            self._free_at = max(self._free_at, time.monotonic()) + count / self.bytes_per_s
            until = self._free_at
        time.sleep(max(until - time.monotonic(), 0))

    def sent(self, name: str) -> list[int | None]:
        """From which byte each GET that was answered with bytes of `name` began; None is the whole file."""
        return [asked.from_byte for asked in self.asked if asked.name == name and asked.method == "GET"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None: ...  # a client that hangs up is what some tests are about


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None: ...

    def _answer(self) -> None:
        if self.hub.dead:
            self.close_connection = True
            return
        url = urlsplit(self.path)
        path = unquote(url.path)
        if path.startswith(f"/{REPOSITORY}/resolve/"):
            self._resolve(path.removeprefix(f"/{REPOSITORY}/resolve/"))
        elif path.startswith(f"/api/models/{REPOSITORY}"):
            self._list(path.rpartition("/revision/")[2])
        elif path.startswith("/cdn/"):
            self._send(path.removeprefix("/cdn/"))
        elif path == f"/api/v1/models/{REPOSITORY}":
            self._json({"Code": 200, "Success": True, "Data": {"License": "apache-2.0", "Visibility": 5}})
        elif path == f"/api/v1/models/{REPOSITORY}/repo/files":
            self._modelscope_list()
        elif path == f"/api/v1/models/{REPOSITORY}/repo":
            self._modelscope(parse_qs(url.query))
        else:
            self._refuse(404, "")

    def _list(self, revision: str) -> None:
        """As huggingface.co lists a model's files: large ones with sha256, others with git's hash."""
        if LISTING in self.hub.refusals:
            self._refuse(*self.hub.refusals[LISTING])
            return
        if revision not in {REVISION, "main"}:
            self._refuse(404, "RevisionNotFound")
            return
        siblings = []
        for name, content in self.hub.files.items():
            one = {"rfilename": name, "size": len(content), "blobId": blob_id(content)}
            if name.endswith(".safetensors"):
                one["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 1}
            siblings.append(one)
        answer = {"id": REPOSITORY, "sha": REVISION, "siblings": siblings, "cardData": {"license": "apache-2.0"}}
        self._json(answer)

    def _modelscope_list(self) -> None:
        """As modelscope.cn lists a model's files: each with its sha256."""
        files = [
            {"Path": name, "Type": "blob", "Size": len(content), "Sha256": hashlib.sha256(content).hexdigest(),
             "Revision": REVISION, "CommittedDate": 1_700_000_000}
            for name, content in self.hub.files.items()
        ]  # fmt: skip
        self._json({"Code": 200, "Success": True, "Data": {"Files": files}})

    def _json(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _resolve(self, rest: str) -> None:
        revision, _, name = rest.partition("/")
        if revision != REVISION:
            self._refuse(404, "RevisionNotFound")
        elif name in self.hub.refusals:
            self._refuse(*self.hub.refusals[name])
        elif name not in self.hub.files:
            self._refuse(404, "EntryNotFound")
        elif name.endswith(".safetensors"):
            content = self.hub.files[name]
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.hub.port}/cdn/{name}")  # another host name
            self.send_header("X-Repo-Commit", REVISION)
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("X-Linked-ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._send(name)

    def _modelscope(self, query: dict[str, list[str]]) -> None:
        name = query["FilePath"][0]
        if query["Revision"] != ["master"] or name not in self.hub.files:
            self._refuse(404, "")
        elif name in self.hub.refusals:
            self._refuse(*self.hub.refusals[name])
        else:
            self._send(name)

    def _send(self, name: str) -> None:
        content, (start, end) = self.hub.files[name], self._range(name)
        self.hub.asked.append(Asked(method=self.command, name=name, from_byte=start))
        self.send_response(200 if start is None else 206)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - (start or 0)))
        self.end_headers()
        if self.command == "GET":
            self.hub.before.get(name, lambda: None)()
            self._send_bytes(name, content[start or 0 : end])

    def _send_bytes(self, name: str, content: bytes) -> None:
        if self.hub.cuts.get(name):
            self.wfile.write(content[: self.hub.cuts[name].pop(0)])
            self.hub.dead = self.hub.dies_at_a_cut
            self.close_connection = True
        elif name in self.hub.stalls:
            self.wfile.write(content[: self.hub.stalls[name]])
            self.wfile.flush()
            self.hub.stalled.set()
            self.hub.stopped.wait(30)
            self.close_connection = True
        elif self.hub.bytes_per_s is None:
            self.wfile.write(content)
        else:
            for at in range(0, len(content), LINE_BLOCK):
                self.hub.wait_for_the_line(len(block := content[at : at + LINE_BLOCK]))
                self.wfile.write(block)

    def _range(self, name: str) -> tuple[int | None, int]:
        """From which byte, None where the whole file is sent, and up to which."""
        asked, size = self.headers.get("Range", ""), len(self.hub.files[name])
        if not asked or not self.hub.knows_ranges:
            return None, size
        first, _, last = asked.removeprefix("bytes=").partition("-")
        return int(first), int(last) + 1 if last else size

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()
