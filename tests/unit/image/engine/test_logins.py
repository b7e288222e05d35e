"""Logins as docker stores them: found, or named as malformed. No engine."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from image.core.address import Login
from image.core.errors import ConfigError, EngineError
from image.engine import connect, find_login, logins


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


def helper(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "docker-credential-fake"
    program.write_text(script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


@pytest.mark.parametrize("config", [{"credsStore": "fake"}, {"credHelpers": {"r.example": "fake"}}])
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("#!/bin/sh\necho 'locked \x1b[2J' >&2; exit 3\n", r"failed with exit code 3: locked \x1b[2J"),
        ("#!/bin/sh\nkill -9 $$\n", "failed with exit code -9"),
        ("#!/bin/sh\necho rubbish\n", "answered with something that is not a login"),
        ("#!/bin/sh\necho '[]'\n", "answered with something that is not a login"),
        ('#!/bin/sh\necho \'{"Username": 1, "Secret": 2}\'\n', "answered with something that is not a login"),
        ("#!/bin/sh\nprintf '\\377\\376'\n", "answered with something that is not a login"),
        ("#!/no/such/interpreter\n", "is not installed"),
        ("not a program", "does not start"),
        ("#!/bin/sh\nsleep 600\n", "did not answer within"),
    ],
)
def test_a_credential_helper_that_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Any, script: str, says: str
) -> None:
    helper(tmp_path, monkeypatch, script)
    (tmp_path / "config.json").write_text(json.dumps(config))
    if "did not answer" in says:
        monkeypatch.setattr(logins, "HELPER_S", 0.2)

    for read in (lambda: find_login("r.example"), lambda: logins.check_login("r.example/team/image:1")):
        with pytest.raises(EngineError, match="docker-credential-fake") as error:
            read()
        assert says in str(error.value)
        assert "docker login r.example" in error.value.next


def test_a_credential_helper_without_this_login_leaves_what_config_json_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, monkeypatch, "#!/bin/sh\necho credentials not found in native keychain; exit 1\n")
    auth = base64.b64encode(b"me:secret").decode()
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "fake", "auths": {"r.example": {"auth": auth}}}))

    assert find_login("r.example") == Login(user="me", password="secret")
    assert find_login("other.example") is None


def test_a_credential_helper_that_is_missing_matters_only_to_its_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {"gcr.io": "no-such-program"}}))

    assert find_login("r.example") is None
    with pytest.raises(EngineError, match="docker-credential-no-such-program is not installed"):
        find_login("gcr.io")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", r"is not valid JSON \(line 1\)"), ('{\n"auths": {,}}', r"is not valid JSON \(line 2\)"),
        ("\xff", "is not valid JSON"), ("[" * 100_000, "is not valid JSON"),
        ("[]", "malformed login"), ("null", "malformed login"), ("7", "malformed login"),
        ('{"credHelpers": "x"}', "malformed login"), ('{"credHelpers": {"r.example": 7}}', "malformed login"),
        ('{"credsStore": ["x"]}', "malformed login"), ('{"auths": {"r.example": null}}', "malformed login"),
        (None, "cannot be read: Is a directory"),
    ],
)  # fmt: skip
def test_a_config_json_that_cannot_be_read_is_said_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, says: str
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    path = tmp_path / "config.json"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content.encode("latin-1"))

    for read in (lambda: find_login("r.example"), connect):
        with pytest.raises(ConfigError, match=says) as error:
            read()
        assert str(path) in str(error.value)


def test_an_empty_config_json_has_no_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text("")

    assert find_login("r.example") is None
