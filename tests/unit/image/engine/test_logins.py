"""Logins as docker stores them: found, or named as malformed. No engine."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from image.core.address import Login
from image.core.errors import ConfigError
from image.engine import connect, find_login


def write_config(folder: Path, monkeypatch: pytest.MonkeyPatch, auths: Any) -> None:
    (folder / "config.json").write_text(json.dumps({"auths": auths}))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


def test_dockers_logins_are_found_where_docker_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = base64.b64encode(b"me:secret").decode()
    config = {"auths": {"ghcr.io": {"auth": auth}, "https://index.docker.io/v1/": {"auth": auth}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    assert find_login("ghcr.io") == find_login("docker.io") == Login(user="me", password="secret")
    assert find_login("r.example") is None


def test_an_identity_token_is_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `az acr login` stores it: Azure/acr-cli#127."""
    user = base64.b64encode(b"00000000-0000-0000-0000-000000000000:").decode()
    write_config(tmp_path, monkeypatch, {"mine.azurecr.io": {"auth": user, "identitytoken": "refresh-me"}})

    assert find_login("mine.azurecr.io") == Login(identity_token="refresh-me")
    assert "refresh-me" not in repr(find_login("mine.azurecr.io"))


def test_a_credential_stores_token_is_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-fake"
    helper.write_text('#!/bin/sh\necho \'{"ServerURL": "r.example", "Username": "<token>", "Secret": "refresh-me"}\'\n')
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text('{"credsStore": "fake"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert find_login("r.example") == Login(identity_token="refresh-me")


@pytest.mark.parametrize(
    "auths",
    [
        {"r.example": {"auth": "bm8tY29sb24="}},
        {"r.example": {"auth": "%%%"}},
        {"r.example": {"auth": "a"}},
        {"r.example": {"auth": 7}},
        {"r.example": {"auth": "ключ"}},
        {"r.example": {"auth": base64.b64encode(b"\xff:\xfe").decode()}},
        {"r.example": "bWU6c2VjcmV0"},
        ["r.example"],
    ],
)
def test_a_malformed_login_is_an_error_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auths: Any
) -> None:
    write_config(tmp_path, monkeypatch, auths)
    for read in (lambda: find_login("r.example"), connect):
        with pytest.raises(ConfigError, match="has a malformed login") as error:
            read()
        assert str(tmp_path / "config.json") in str(error.value)
        assert "bWU6c2VjcmV0" not in str(error.value)
