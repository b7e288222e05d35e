"""Proxies and certificates of the environment, for a registry: used, or the variable is named, at once."""

from pathlib import Path

import pytest

from image.core.address import read_address
from image.core.errors import ConfigError
from image.registry import Repository
from image.registry.network_environment import require_usable_network

REGISTRY = "https://registry.example.com"
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    "value", ["http://", "socks5://u:secret@p:1", "socks://p:1", "ftp://p", "http://p:abc", "http://["]
)
def test_a_proxy_that_cannot_be_used_is_named_once(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    notes: list[str] = []

    with pytest.raises(ConfigError, match=f"^The environment variable {name} ") as caught:
        Repository(read_address("registry.example.com/team/adapter:1"), notify=notes.append).manifest()

    assert notes == []
    assert "secret" not in str(caught.value)


def test_only_the_proxy_that_is_used_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "socks5://p:1")
    require_usable_network(REGISTRY)

    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.setenv("NO_PROXY", "example.com")
    require_usable_network(REGISTRY)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "", "garbage"])
def test_certificates_that_are_not_there_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv(name, str(path))

    with pytest.raises(ConfigError, match=f"^The environment variable {name} names {path}, which "):
        Repository(read_address("registry.example.com/team/adapter:1"), notify=lambda _: None).manifest()
    require_usable_network("http://registry.example.com")
    require_usable_network(REGISTRY, own_bundle=True)
