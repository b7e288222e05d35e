"""Names in a registry: which are read, and which are refused before anybody is asked."""

import pytest

from image.core.address import Login, read_address
from image.core.errors import ConfigError

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ghcr.io/me/adapter:1.0", ("ghcr.io", "me/adapter", "1.0", "")),
        ("127.0.0.1:5000/a:v0-20260101-000000", ("127.0.0.1:5000", "a", "v0-20260101-000000", "")),
        ("[::1]:5000/a:1", ("[::1]:5000", "a", "1", "")),
        (f"r.example/a/b/c@{DIGEST}", ("r.example", "a/b/c", "", DIGEST)),
        (f"r.example/a:1@{DIGEST}", ("r.example", "a", "1", DIGEST)),
    ],
)
def test_a_name_is_taken_apart(text: str, parts: tuple[str, ...]) -> None:
    found = read_address(text)
    assert (found.registry, found.repository, found.tag, found.digest) == parts


@pytest.mark.parametrize(
    "text", ["adapter", "r.example/a", "r.example/A:1", "r.example/:1", "r example/a:1", "r/a:", "r/a@sha256:1",
             "https://r.example/a:1", "r/a/../b:1", f"r/a:@{DIGEST}", "user:pw@r.example/a:1"],
)  # fmt: skip
def test_a_name_that_no_registry_takes_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not a valid registry reference"):
        read_address(text)


def test_docker_hub_answers_under_another_name() -> None:
    assert read_address("docker.io/me/a:1").server == "registry-1.docker.io"
    assert read_address("ghcr.io/me/a:1").server == "ghcr.io"


@pytest.mark.parametrize(
    ("registry", "here"),
    [
        ("localhost:5000", True),
        ("127.0.0.1", True),
        ("[::1]:1", True),
        ("127.example.org", False),
        ("r.example", False),
    ],
)
def test_loopback_is_known(registry: str, here: bool) -> None:
    assert read_address(f"{registry}/a:1").on_loopback is here


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Login(user="me", password="secret"))
