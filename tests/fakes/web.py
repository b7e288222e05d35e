"""Servers by URL, in memory: what requests would send over the network arrives here, TLS or not."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

Answer = tuple[int, Mapping[str, str], bytes | io.RawIOBase]


@dataclass
class FakeWeb(BaseAdapter):
    """`answers`: URL without its query → the answer, or a function of the request. Any other URL is a 404."""

    answers: dict[str, Answer | Callable[[requests.PreparedRequest], Answer]] = field(default_factory=dict)
    received: list[requests.PreparedRequest] = field(default_factory=list)

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        self.received.append(request)
        answer = self.answers.get(request.url.partition("?")[0], (404, {}, b""))
        status, headers, body = answer(request) if callable(answer) else answer
        stream = io.BytesIO(body) if isinstance(body, bytes) else body
        raw = HTTPResponse(stream, headers=headers, status=status, preload_content=False)
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None: ...

    def secrets_seen_by(self, host: str, *secrets: str) -> list[str]:
        """What reached `host`, in headers, URL or body, of `secrets`."""
        seen = [
            f"{request.url} {dict(request.headers)} {request.body!r}"
            for request in self.received
            if requests.utils.urlparse(request.url).hostname == host
        ]
        return [secret for secret in secrets if any(secret in text for text in seen)]


@contextmanager
def fake_web(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWeb]:
    web = FakeWeb()
    monkeypatch.setattr(requests.Session, "get_adapter", lambda *_, **__: web)
    yield web
