"""Forms are bounded while they arrive, and files come through byte for byte."""

import asyncio
import os

import httpx
import pytest
from starlette.requests import Request

from toolkit.core.errors import DataError
from toolkit.studio import forms
from toolkit.studio.forms import Form, read_form


def read(body: bytes, content_type: str, *, length: int | None = None, pieces: int = 3) -> Form:
    """As it comes over a network, in pieces."""
    size = len(body) // pieces + 1
    parts = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    messages = [{"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts]

    async def receive():
        return messages.pop(0)

    headers = [(b"content-type", content_type.encode())]
    headers += [] if length is None else [(b"content-length", str(length).encode())]
    return asyncio.run(read_form(Request({"type": "http", "method": "POST", "headers": headers}, receive)))


def encoded(**settings) -> tuple[bytes, str]:
    request = httpx.Request("POST", "http://x/", **settings)
    return request.read(), request.headers["content-type"]


def test_fields_come_in_their_order_with_plain_line_ends():
    form = read(*encoded(data={"text": ["a\r\nb", "c=&+"], "note": "你好"}))

    assert (form.several("text"), form.text("note"), form.text("none")) == (("a\nb", "c=&+"), "你好", "")


@pytest.mark.parametrize("content", [os.urandom(5000), b"\r\n--x\r\n\r\n", b"", b"a\rb\nc\r\n", "行\n".encode()])
def test_a_file_comes_through_byte_for_byte(content: bytes):
    form = read(*encoded(data={"form_token": "t"}, files={"file": ("数据 1.jsonl", content)}))

    assert form.file == ("数据 1.jsonl", content)
    assert form.text("form_token") == "t"


def test_no_chosen_file_is_none():
    assert read(*encoded(data={"a": "b"}, files={"file": ("", b"")})).file is None


@pytest.mark.parametrize("declared", [True, False])
def test_a_form_that_is_too_long_is_refused_whatever_it_says_of_itself(monkeypatch, declared: bool):
    monkeypatch.setattr(forms, "MOST_TYPED", 100)
    body = b"a=" + b"x" * 200

    with pytest.raises(DataError, match="more than"):
        read(body, forms.URLENCODED, length=len(body) if declared else None)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
def test_what_is_not_a_form_is_refused(kind: str):
    with pytest.raises(DataError, match="not a form"):
        read(b"{}", kind)


def test_thousands_of_fields_are_refused():
    with pytest.raises(DataError, match="cannot be read"):
        read("&".join(f"a{at}=" for at in range(30_000)).encode(), forms.URLENCODED)
