"""Answers without end, in size or in time: each is cut off, with an error of the registry."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from image.core.address import read_address
from image.core.errors import RegistryError
from image.core.files import content_digest
from image.registry import Repository, transport
from tests.fakes.web import FakeWeb, fake_web

REGISTRY = "https://registry.example.com"
MANIFEST = f"{REGISTRY}/v2/team/adapter/manifests/1"
BLOB = f"{REGISTRY}/v2/team/adapter/blobs/"
DIGEST = content_digest(b"content")


class Endless(io.RawIOBase):
    """A body of zeros, which counts what was read of it."""

    read_bytes = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert self.read_bytes < 64 * 1024**2, "nobody stops reading"
        self.read_bytes += size
        return bytes(size)


@pytest.fixture(name="web")
def _web(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWeb]:
    with fake_web(monkeypatch) as web:
        web.answers[f"{REGISTRY}/v2/"] = 200, {}, b"{}"
        yield web


def repository(address: str = "registry.example.com") -> Repository:
    return Repository(
        read_address(f"{address}/team/adapter:1"), notify=lambda _: None, tries=2, pause=lambda _: None
    )  # fmt: skip


@pytest.mark.parametrize("status", [200, 400, 404])
def test_an_endless_manifest_or_error_is_cut_off(web: FakeWeb, status: int) -> None:
    body = Endless()
    web.answers[MANIFEST] = status, {}, body
    with pytest.raises(RegistryError, match="larger than 4 MiB"):
        repository().manifest()
    assert body.read_bytes < 8 * 1024**2


def test_an_endless_ping_or_token_is_cut_off(web: FakeWeb) -> None:
    token = {"WWW-Authenticate": f'Bearer realm="{REGISTRY}/token"'}
    web.answers |= {MANIFEST: (401, token, b""), f"{REGISTRY}/token": (200, {}, Endless())}
    with pytest.raises(RegistryError, match="larger than 4 MiB"):
        repository().manifest()
    web.answers[f"{REGISTRY}/v2/"] = 200, {}, Endless()
    with pytest.raises(RegistryError, match="larger than 4 MiB"):
        repository().manifest()


def test_a_blob_of_another_announced_size_is_not_downloaded(web: FakeWeb, tmp_path: Path) -> None:
    body = Endless()
    web.answers[f"{BLOB}{DIGEST}"] = 200, {"Content-Length": str(1024**3)}, body
    with pytest.raises(RegistryError, match="does not match its digest"):
        repository().fetch_blob(DIGEST, 7, tmp_path / "file")
    assert body.read_bytes == 0


def test_an_endless_blob_is_cut_off_at_its_size(web: FakeWeb, tmp_path: Path) -> None:
    body = Endless()
    web.answers[f"{BLOB}{DIGEST}"] = 200, {}, body
    with pytest.raises(RegistryError, match="does not match its digest"):
        repository().fetch_blob(DIGEST, 7, tmp_path / "file")
    assert body.read_bytes <= 2 * transport.BLOCK_BYTES
    assert (tmp_path / "file").stat().st_size <= 7


@pytest.mark.parametrize("location", [MANIFEST, f"{REGISTRY}/other"])
def test_redirects_end(web: FakeWeb, location: str) -> None:
    web.answers |= {
        MANIFEST: (302, {"Location": location}, b""),
        f"{REGISTRY}/other": (302, {"Location": MANIFEST}, b""),
    }
    with pytest.raises(RegistryError, match="redirects more than 5 times"):
        repository().manifest()
    assert len(web.received) == 1 + 6


@contextmanager
def dripping_server(start: bytes, drop: bytes) -> Iterator[str]:
    """A server that answers the ping well, and any other request with `start` and then one `drop` after the other."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_connections: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                while request := connection.recv(65536):
                    if request.startswith(b"GET /v2/ "):
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                        continue
                    connection.sendall(start)
                    while True:
                        connection.sendall(drop)
                        time.sleep(0.02)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_connections.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()
        for connection in open_connections:
            connection.close()


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "chunks", "headers", "interim answers"],
)
@pytest.mark.parametrize("ask", [Repository.manifest, lambda door: door.push_manifest(b"{}")], ids=["read", "write"])
def test_an_answer_that_drips_is_cut_off(
    start: bytes, drop: bytes, ask: Callable[[Repository], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "ANSWER_S", 0.4)
    with dripping_server(start, drop) as address:
        begin = time.monotonic()
        with pytest.raises(RegistryError, match="no complete answer within 0 s"):
            ask(repository(address))
        assert time.monotonic() - begin < 5


def test_a_blob_that_drips_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "ANSWER_S", 0.4)
    with (
        dripping_server(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", b"") as address,
        pytest.raises(RegistryError, match="no complete answer"),
    ):
        repository(address).fetch_blob(DIGEST, 7, tmp_path / "file")
