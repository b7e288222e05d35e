"""The first request to a registry may fail as every later one: with an error that says what to do."""

from collections.abc import Callable

import pytest
import requests

from image.core.address import read_address
from image.core.errors import RegistryError
from image.registry import Repository
from image.registry.transport import Transport

ADDRESS = read_address("registry.example.com/team/adapter:1")
DIGEST = "sha256:" + "0" * 64
FIRST: dict[str, Callable[[Repository], object]] = {
    "manifest": lambda registry: registry.manifest(),
    "push_manifest": lambda registry: registry.push_manifest(b"{}"),
    "referrers": lambda registry: registry.referrers(DIGEST),
}


@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST)
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (requests.exceptions.SSLError("certificate verify failed"), "TLS failed: .*Provide its certificate"),
        (requests.ConnectionError("connection refused"), "failed 2 times: .*is the right name and is up"),
    ],
)
def test_a_registry_that_cannot_be_reached_is_named_whatever_is_asked_first(
    monkeypatch: pytest.MonkeyPatch, first: Callable[[Repository], object], error: Exception, says: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Transport, "send", fail)
    notes: list[str] = []
    registry = Repository(ADDRESS, notify=notes.append, tries=2, pause=lambda _: None)

    with pytest.raises(RegistryError, match=f"(?s){says}"):
        first(registry)
