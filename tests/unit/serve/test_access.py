"""Host names and origins: what is in the lists gets through, all else and everything malformed does not."""

import socket

import httpx
import pytest

from tests.fakes.answerer import listening, make_site
from toolkit.core.errors import ConfigError
from toolkit.serve.access import host_name, read_origin

HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
ORIGIN = "http://localhost:3000"
GOOD = "Host: 127.0.0.1"


@pytest.fixture(scope="module", name="site")
def _site():
    with listening(make_site(hosts=HOSTS)) as address:
        yield address


@pytest.fixture(scope="module", name="open_site")
def _open_site():
    """Any host name, and pages of one origin."""
    with listening(make_site(origins=(ORIGIN,))) as address:
        yield address


def status(address: str, *headers: str, target="/v1/models", version="1.1") -> int:
    """Of a request that is sent as it is written here."""
    host, port = address.removeprefix("http://").split(":")
    lines = [f"GET {target} HTTP/{version}", *headers, "Connection: close", "", ""]
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1"))
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(reply.split()[1])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1:80", "127.0.0.1:", "localhost:1", "LOCALHOST", "LocalHost:8000", "[::1]", "[::1]:8000",
        "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]:65535", "  localhost  ",
    ],
)  # fmt: skip
def test_this_machines_names_are_answered(site, host):
    assert status(site, f"Host: {host}") == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:80", "127.0.0.1.evil.example", "evil127.0.0.1", "localhost.", "127.0.0.1.",
        "localhost.evil.example", "127.1", "0177.0.0.1", "2130706433", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "[::2]",
        "xn--lcalhost-54a", ".", "-", "127.0.0.2", "localhost_",
    ],
)  # fmt: skip
def test_other_names_are_refused(site, host):
    assert status(site, f"Host: {host}") == 403


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1@evil.example", "evil.example#@127.0.0.1", "[", "]", "[]", "127.0.0.1, evil", "127.0.0.1,evil", "",
        "   ", "a{b.evil.example", "127.0.0.1:80:80", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1:+80", "127.0.0.1:65536",
        "127.0.0.1:808080", "::1", "::1:80", "[::1", "::1]", "[::1]80", "[::1%lo]", "[::1%25lo]", "[v1.x]",
        "[127.0.0.1]", "[localhost]", "[:::1]", "[1:2:3:4:5:6:7:8:9]", "http://127.0.0.1", "127.0.0.1/",
        "127.0.0.1/evil",
        "evil.example/127.0.0.1", "127.0.0.1?x", "127.0.0.1\\evil", "127.0.0.1 evil", "127.0.0.1\tevil", "%6cocalhost",
        "localhost%00", "löcalhost", "*", "evil.example;127.0.0.1", '"127.0.0.1"', "user:pass@127.0.0.1", ":80",
        "a" * 254, "127.0.0.1:\u0660".encode().decode("latin-1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("any_name", [False, True])
def test_what_cannot_be_a_host_is_malformed_even_where_any_name_may_be_used(site, open_site, host, any_name):
    assert status(open_site if any_name else site, f"Host: {host}") == 400


@pytest.mark.parametrize(
    "headers",
    [
        (), (GOOD, GOOD), (GOOD, "Host: evil.example"), ("Host: evil.example", GOOD), (GOOD, "host:"),
        (GOOD, "HOST: localhost"), ("Host : 127.0.0.1",), (" Host: 127.0.0.1",), ("Host\t: 127.0.0.1",),
        ("Host: 127.0.0.1\x00",), ("Host: 127.0.0.1\r evil.example",),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_there_is_exactly_one_host_header(site, headers, version):
    assert status(site, *headers, version=version) == 400


def test_what_proxies_say_of_the_host_does_not_count(site):
    for header in ("X-Forwarded-Host", "X-Host", "Forwarded", "X-Forwarded-Server", "X-Original-Host"):
        assert status(site, GOOD, f"{header}: evil.example") == 200
        assert status(site, "Host: evil.example", f"{header}: 127.0.0.1") == 403


@pytest.mark.parametrize("path", ["/", "/health", "/v1/models", "/v1/models/base", "/nothing"])
def test_every_route_checks_the_name(site, path):
    assert status(site, "Host: evil.example", target=path) == 403
    assert status(site, "Host: [", target=path) == 400


@pytest.mark.parametrize(
    ("target", "host", "expected"),
    [
        ("http://127.0.0.1/v1/models", "127.0.0.1", 200),
        ("HTTP://LOCALHOST:99/v1/models?x=http://evil.example", "127.0.0.1", 200),
        ("http://localhost", "127.0.0.1", 200),
        ("http://evil.example/v1/models", "127.0.0.1", 403),
        ("http://127.0.0.1/v1/models", "evil.example", 403),
        ("http://127.0.0.1@evil.example/v1/models", "127.0.0.1", 400),
        ("http://evil.example#@127.0.0.1/v1/models", "127.0.0.1", 400),
        ("http:///v1/models", "127.0.0.1", 400),
        ("http://[/v1/models", "127.0.0.1", 400),
        ("ftp://127.0.0.1/v1/models", "127.0.0.1", 400),
        ("127.0.0.1:80", "127.0.0.1", 400),
        ("v1/models", "127.0.0.1", 400),
        ("//evil.example/v1/models", "127.0.0.1", 404),
    ],
)
def test_a_target_with_a_host_is_checked_as_its_header_is(site, target, host, expected):
    assert status(site, f"Host: {host}", target=target) == expected


def test_refusals_have_the_shape_of_openai(site):
    for host, code in (("[", "invalid_request"), ("evil.example", "unknown_host")):
        reply = httpx.get(f"{site}/v1/models", headers={"host": host}, trust_env=False)
        assert reply.json()["error"]["code"] == code


def test_a_host_is_read_into_its_one_spelling():
    assert host_name("Example.COM:8000") == "example.com"
    assert host_name("[0:0::1]") == "::1"
    assert host_name("\u212aelvin") is None  # the Kelvin sign, whose lower case is k


def preflight(address: str, origin: str, **headers: str) -> httpx.Response:
    asked = {"origin": origin, "access-control-request-method": "POST",
             "access-control-request-headers": "authorization,content-type,x-stainless-os", **headers}  # fmt: skip
    return httpx.options(f"{address}/v1/chat/completions", headers=asked, trust_env=False)


def test_pages_elsewhere_are_not_allowed_by_default(site):
    reply = httpx.get(f"{site}/v1/models", headers={"origin": ORIGIN}, trust_env=False)

    assert preflight(site, ORIGIN).status_code == 405
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_pages_of_an_allowed_origin_may_ask(open_site):
    reply = preflight(open_site, ORIGIN, **{"access-control-request-private-network": "true"})

    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    assert "x-stainless-os" in reply.headers["access-control-allow-headers"]
    assert reply.headers["access-control-allow-private-network"] == "true"
    assert "access-control-allow-credentials" not in reply.headers
    for path, code in (("/v1/models", 200), ("/nothing", 404)):
        found = httpx.get(f"{open_site}{path}", headers={"origin": ORIGIN}, trust_env=False)
        assert (found.status_code, found.headers["access-control-allow-origin"]) == (code, ORIGIN)


@pytest.mark.parametrize(
    "origin",
    ["http://localhost", "http://localhost:30000", "https://localhost:3000", "http://evil.example", "null", "*",
     "http://localhost:3000.evil.example", "http://localhost:3000/"],
)  # fmt: skip
def test_pages_of_other_origins_may_not(open_site, origin):
    reply = httpx.get(f"{open_site}/v1/models", headers={"origin": origin}, trust_env=False)

    assert "access-control-allow-origin" not in reply.headers
    assert preflight(open_site, origin).status_code == 400
    assert "access-control-allow-origin" not in preflight(open_site, origin).headers


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://localhost:3000", "http://localhost:3000"),
        ("HTTP://LocalHost:3000", "http://localhost:3000"),
        ("http://localhost:80", "http://localhost"),
        ("https://chat.example:443", "https://chat.example"),
        ("https://chat.example:80", "https://chat.example:80"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://[0:0::1]", "http://[::1]"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
    ],
)
def test_an_origin_is_read_as_a_browser_writes_it(text, origin):
    assert read_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    ["*", "null", "", "localhost:3000", "http://", "http://*", "http://*.example", "http://a/", "http://a/b", "http://a?b",
     "http://a@b", "//a", "http://a b", "http://a,http://b", "http://a:99999", "http://a:x"],
)  # fmt: skip
def test_what_is_not_an_origin_is_refused(text):
    with pytest.raises(ConfigError, match="is not an origin"):
        read_origin(text)
