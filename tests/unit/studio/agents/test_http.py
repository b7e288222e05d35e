"""Agents over a real port: the token in a header, and nobody else, whatever cookie or origin they bring."""

import asyncio
import contextlib

import httpx
import httpx2
import pytest
from mcp.client.streamable_http import streamable_http_client
from sse_starlette.sse import AppStatus

from tests.fakes.agent import talk
from tests.fakes.answerer import listening
from tests.fakes.studio_site import TOKEN, studio_site

HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
}}  # fmt: skip
TYPES = {"Accept": "application/json, text/event-stream"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module", name="address")
def _address(tmp_path_factory):
    AppStatus.should_exit = False  # of the process, for good, once a server of an earlier test has ended
    with listening(studio_site(tmp_path_factory.mktemp("work"))) as address:
        yield address


def hello(address: str, **headers: str) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=60) as client:
        return client.post(f"{address}/mcp", json=HELLO, headers={**TYPES, **headers})


@contextlib.asynccontextmanager
async def connected(address: str):
    async with (
        httpx2.AsyncClient(headers=BEARER, trust_env=False, timeout=60) as client,
        streamable_http_client(f"{address}/mcp", http_client=client) as streams,
    ):
        yield streams


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_with_the_token_calls_tools(address: str, mode: str):
    result = talk(connected(address), lambda client: client.call_tool("runs", {}), mode=mode)

    assert result.structured_content["runs"] == []


def test_two_agents_work_side_by_side(address: str):
    async def both(first):
        async with connected(address) as streams:
            assert streams
            return await asyncio.gather(*(first.call_tool("runs", {}) for _ in range(3)))

    assert all(not one.is_error for one in talk(connected(address), both))


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Authorization": "Bearer"}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN}, {"Cookie": f"studio-1={TOKEN}"},
    ],
)  # fmt: skip
def test_without_the_token_in_the_header_there_is_nothing(address: str, headers: dict[str, str]):
    reply = hello(address, **headers)

    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in reply.text


def test_the_token_in_the_address_is_for_browsers_alone(address: str):
    with httpx.Client(trust_env=False) as client:
        assert client.post(f"{address}/mcp?token={TOKEN}", json=HELLO, headers=TYPES).status_code == 401


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "http://127.0.0.1:1", "http://localhost.evil.example"]
)
def test_a_page_of_another_origin_is_refused_even_with_the_token(address: str, origin: str):
    assert hello(address, **BEARER, Origin=origin).status_code == 403


@pytest.mark.parametrize("origin", ["https://studio.example", None])
def test_our_own_origin_and_none_at_all_are_welcome(address: str, origin: str | None):
    assert hello(address, **BEARER, Origin=origin or address).status_code == 200
    assert hello(address, **BEARER).status_code == 200


def test_another_host_name_is_refused(address: str):
    assert hello(address, **BEARER, Host="evil.example").status_code == 403


def test_a_message_has_a_largest_size(address: str):
    with httpx.Client(trust_env=False) as client:
        big = HELLO | {"padding": "x" * 1_100_000}
        assert client.post(f"{address}/mcp", json=big, headers={**TYPES, **BEARER}).status_code == 413


def test_what_is_no_message_is_a_mistake_of_the_client(address: str):
    with httpx.Client(trust_env=False) as client:
        for content in (b"", b"{", b"[]", b'{"jsonrpc": "1.0"}'):
            reply = client.post(
                f"{address}/mcp", content=content, headers={**TYPES, **BEARER, "Content-Type": "application/json"}
            )
            assert 400 <= reply.status_code < 500, content
