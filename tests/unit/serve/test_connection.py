"""Clients that are slow, say nothing or are too many, at a real port; the limits are shortened here."""

import json
import socket
import threading
import time
from contextlib import suppress

import httpx
import pytest

from tests.fakes.answerer import FakeAnswerer, listening, make_site
from toolkit.serve import connection as module

WITHIN_S = 60
HEADER = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


@pytest.fixture(name="site")
def _site(monkeypatch):
    monkeypatch.setattr(module, "ARRIVES_WITHIN_S", 0.5)
    monkeypatch.setattr(module, "TAKEN_WITHIN_S", 0.5)
    return make_site(FakeAnswerer({"tuned": {"long": "x" * 20_000_000}}))


@pytest.fixture(name="address")
def _address(site):
    with listening(site) as address:
        yield address


def connected(address: str, first: bytes = b"") -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=WITHIN_S)
    connection.sendall(first)
    return connection


def reply_of(connection: socket.socket) -> bytes:
    """All that the server sends until it closes the connection; fails if it does not within WITHIN_S."""
    found = bytearray()
    with suppress(ConnectionResetError):
        while data := connection.recv(65536):
            found += data
    return bytes(found)


def drip(connection: socket.socket, data: bytes) -> None:
    """A byte at a time, until the server has had enough."""
    with suppress(OSError):
        for at in range(len(data)):
            connection.sendall(data[at : at + 1])
            time.sleep(0.05)


def question(text: str, **more) -> bytes:
    body = json.dumps({"model": "tuned", "messages": [{"role": "user", "content": text}], **more}).encode()
    return HEADER + b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    "first",
    [
        b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", HEADER,
        HEADER + b"Content-Length: 100\r\n\r\n", HEADER + b"Content-Length: 100\r\n\r\n{",
        HEADER + b"Transfer-Encoding: chunked\r\n\r\n", HEADER + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        HEADER + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
    ],
)  # fmt: skip
def test_a_request_that_never_ends_is_cut_off(address, site, first):
    with connected(address, first) as connection:
        reply = reply_of(connection)

    assert b"408" in reply
    assert b"request_timeout" in reply
    assert not site.active
    assert not site.notices


@pytest.mark.parametrize(
    "first",
    [b"", HEADER + b"X-Long: ", HEADER + b"Content-Length: 9999\r\n\r\n",
     HEADER + b"Transfer-Encoding: chunked\r\n\r\n"],
)  # fmt: skip
def test_a_request_that_drips_is_cut_off_too(address, first):
    with connected(address, first) as connection:
        thread = threading.Thread(target=drip, args=(connection, b"1\r\nx\r\n" * 2000))
        thread.start()
        assert b" 408 " in reply_of(connection)
        connection.close()
        thread.join(WITHIN_S)

    assert not thread.is_alive()


def test_a_second_request_on_the_same_connection_is_timed_too(address):
    get = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with connected(address, get) as connection:
        assert b" 200 " in connection.recv(65536)
        connection.sendall(get + get[:20])
        assert reply_of(connection).count(b" 200 ") == 1


def test_a_connection_between_two_requests_ends_when_nothing_comes(address):
    with connected(address, b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") as connection:
        assert reply_of(connection).startswith(b"HTTP/1.1 200")


def test_a_request_may_take_longer_to_answer_than_to_arrive(address, site):
    with connected(address, question("forever", stream=True)) as connection:
        until = time.monotonic() + 1.2
        while time.monotonic() < until:
            assert connection.recv(65536)
        assert site.active


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_reads_nothing_gives_its_place_back(address, site, stream):
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((host, int(port)))
        connection.sendall(question("long", stream=stream))
        wait_for(lambda: site.answerer.requests and not site.active and is_closed(connection))


def is_closed(connection: socket.socket) -> bool:
    """By the server, which then answers what is sent with a reset."""
    try:
        connection.sendall(b" ")
    except OSError:
        return True
    return False


def wait_for(condition) -> None:
    until = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_clients_that_only_connect_keep_nobody_out(monkeypatch):
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 10)
    with listening(make_site()) as address:
        silent = [connected(address, b"GET / HT") for _ in range(30)]
        assert httpx.get(f"{address}/health", trust_env=False, timeout=WITHIN_S).status_code == 200
        for connection in silent[:19]:
            assert reply_of(connection) == b""
        silent[-1].sendall(b"TP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert b" 200 " in reply_of(silent[-1])
        for connection in silent:
            connection.close()


def test_connections_with_a_question_are_not_closed_to_make_room(monkeypatch):
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 3)
    with listening(make_site()) as address, connected(address, question("forever", stream=True)) as asking:
        assert b" 200 " in asking.recv(65536)
        silent = [connected(address) for _ in range(10)]
        assert httpx.get(f"{address}/health", trust_env=False, timeout=WITHIN_S).json()["under_way"] == 1
        assert asking.recv(65536)
        for connection in silent:
            connection.close()


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\x00", b"hello\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
                                  b"GET /" + b"x" * 100_000])  # fmt: skip
def test_what_is_not_http_is_refused_in_the_form_of_openai(address, sent):
    with connected(address, sent) as connection:
        head, _, body = reply_of(connection).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["error"]["code"] == "invalid_request"
