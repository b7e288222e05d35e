"""Proxies and certificates of the environment: used, or the variable is named."""

import os
from pathlib import Path

import httpx
import pytest

from toolkit.core.errors import ConfigError
from toolkit.core.network_environment import require_usable_network
from toolkit.model.hub.fetch import fetch_from
from toolkit.model.hub.upload import find_remote
from toolkit.model.lock import Lock, LockedFile

HUB = "https://hub.example/x"
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
         "CURL_CA_BUNDLE")  # fmt: skip
FILE = LockedFile(name="config.json", size_bytes=2, sha256="0" * 64)
LOCK = Lock(name="b", folder="b", repository="a/b", revision="c" * 40, licence="apache-2.0", files=(FILE,))


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    "value",
    ["http://", "socks5://p:1", "socks5h://u:geheim@p:1", "socks://p:1", "ftp://p", "http://p:abc", "http://p:99999",
     "http://[", "中文://x", "http://a b:1", "://", "http://:8080"],
)  # fmt: skip
def test_a_proxy_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv(name, value)

    for client in ("httpx", "requests"):
        with pytest.raises(ConfigError, match=f"^The environment variable {name} ") as caught:
            require_usable_network(HUB, client)
        assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("unused", ["socks5://p:1", "socks://p:1", "http://p:abc", "ftp://p"])
@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "HTTP_PROXY"])
def test_a_proxy_beside_the_one_that_is_used_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, name: str, unused: str
):  # open-webui #15683
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv(name, unused)

    require_usable_network(HUB, "httpx")

    httpx.Client().close()
    assert name not in os.environ


def test_a_host_that_needs_no_proxy_is_reached_beside_one_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://p:1")
    monkeypatch.setenv("NO_PROXY", "hub.example")

    require_usable_network(HUB, "httpx")

    httpx.Client().close()


@pytest.mark.parametrize(
    "value",
    ["*", "localhost", ".example.com", "*.example.com", "10.0.0.0/8", "::1", "[::1]", "fe80::/10", "::1/128", "a:80",
     "http://x", "a b", "a,,b", " a , b", "[", "a:b:c", "中文", "localhost:abc", "[::1]:80", "http://x:y", ","],
)  # fmt: skip
def test_every_form_of_no_proxy_is_taken(monkeypatch: pytest.MonkeyPatch, value: str):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, f"{value},kept.example")

    require_usable_network(HUB, "httpx")

    httpx.Client().close()
    assert os.environ["NO_PROXY"].endswith("kept.example")


@pytest.mark.parametrize(
    ("client", "name"),
    [("httpx", "SSL_CERT_FILE"), ("httpx", "SSL_CERT_DIR"), ("requests", "REQUESTS_CA_BUNDLE"),
     ("requests", "CURL_CA_BUNDLE")],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["missing", "empty", "garbage"])
def test_certificates_that_are_not_there_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, client: str, name: str, kind: str
):  # DeepTutor #920
    path = tmp_path / "ca.pem"
    if kind != "missing":
        path.write_text("" if kind == "empty" else "garbage")
    monkeypatch.setenv(name, str(path))

    with pytest.raises(ConfigError, match=f"^The environment variable {name} names {path}, which ") as caught:
        require_usable_network(HUB, client)
    assert "unset" in caught.value.next


@pytest.mark.parametrize("source", ["hf", "modelscope"])
def test_download_and_push_name_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str):
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, "/no/such/ca.pem")

    with pytest.raises(ConfigError, match=r"environment variable (SSL_CERT_FILE|REQUESTS_CA_BUNDLE) names"):
        fetch_from(source)(LOCK, FILE, tmp_path, lambda _: None)
    with pytest.raises(ConfigError, match="environment variable SSL_CERT_FILE names"):
        find_remote("a/b")
