"""Bodies as they arrive: how long one may be, and all of them together."""

import asyncio

import pytest
from starlette.requests import Request

from toolkit.serve import body as module
from toolkit.serve.body import Bodies, largest_body_bytes
from toolkit.serve.openai import RequestError


def request(*chunks: bytes, kind="application/json", length=None, leaves=False) -> Request:
    headers = [(b"content-type", kind.encode())] + ([] if length is None else [(b"content-length", length)])
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.disconnect"} if leaves else {"type": "http.request", "body": b""})
    found = iter(messages)

    async def receive():
        return next(found)

    return Request({"type": "http", "headers": headers}, receive)


def error_of(bodies: Bodies, *chunks: bytes, **more) -> RequestError:
    with pytest.raises(RequestError) as caught:
        asyncio.run(bodies.read(request(*chunks, **more)))
    return caught.value


def test_a_body_arrives_in_pieces():
    assert asyncio.run(Bodies(10).read(request(b"ab", b"cd", kind="Application/JSON; charset=utf-8"))) == b"abcd"


@pytest.mark.parametrize("kind", ["text/plain", "", "application/x-www-form-urlencoded", "application/jsonp"])
def test_only_json_is_read(kind):
    assert error_of(Bodies(10), b"{}", kind=kind).status == 415


def test_a_body_that_is_too_long_is_refused_by_its_length_or_as_it_comes():
    assert error_of(Bodies(10), length=b"11").status == 413  # nothing is read
    assert error_of(Bodies(10), *[b"xxxx"] * 3).code == "body_too_long"


def test_all_bodies_together_are_bounded_and_make_room_when_they_end(monkeypatch):
    monkeypatch.setattr(module, "ALL_BYTES", 10)
    bodies = Bodies(100)

    assert error_of(bodies, b"x" * 6, b"x" * 6).status == 503
    assert bodies.arriving_bytes == 0
    assert asyncio.run(bodies.read(request(b"x" * 10))) == b"x" * 10
    assert bodies.arriving_bytes == 0


def test_a_client_that_leaves_in_the_middle_is_not_a_failure_of_the_model():
    bodies = Bodies(100)

    assert error_of(bodies, b"xx", leaves=True).code == "client_left"
    assert bodies.arriving_bytes == 0


def test_the_longest_body_grows_with_what_the_model_reads():
    assert largest_body_bytes(2048) < 300_000 < largest_body_bytes(32_768) <= largest_body_bytes(10**9) == 4_000_000
