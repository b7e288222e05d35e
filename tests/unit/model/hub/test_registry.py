"""A registry that wants a login, and who gets it: its own token server, and nobody else."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.registry import IDENTITY_TOKEN, LOGIN, FakeRegistry, fake_registry
from toolkit.core.errors import ConfigError, ModelError
from toolkit.model.hub.logins import Login
from toolkit.model.hub.registry import Authorization, Repository, is_own_server

DIGEST = "a" * 64
PAIR = base64.b64encode(b"ci:secret").decode()


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.fixture(name="registry")
def _registry() -> Iterator[FakeRegistry]:
    with fake_registry(auth="private", blobs={f"sha256:{DIGEST}": b"weights"}) as registry:
        yield registry


@pytest.fixture(name="log_in")
def _log_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Stores logins as `docker login` does."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    def log_in(host: str, **entry: str) -> None:
        (tmp_path / "config.json").write_text(json.dumps({"auths": {host: entry or {"auth": PAIR}}}))

    return log_in


def headers(registry: FakeRegistry) -> dict[str, str]:
    repository = Repository.named(f"oci+http://{registry.address}/models/small")
    return dict(Authorization(repository=repository, url=repository.blob(DIGEST)).headers())


def test_a_login_becomes_a_token(registry: FakeRegistry, log_in):
    log_in(registry.address)

    assert headers(registry) == {"Authorization": "Bearer pull"}
    assert registry.logins[0] == LOGIN


def test_an_identity_token_becomes_a_token(registry: FakeRegistry, log_in):
    log_in(registry.address, identitytoken=IDENTITY_TOKEN)

    assert headers(registry) == {"Authorization": "Bearer pull"}
    assert LOGIN not in registry.logins


def test_a_registry_without_tokens_gets_the_login(registry: FakeRegistry, log_in):
    registry.auth = "basic"
    log_in(registry.address)

    assert headers(registry) == {"Authorization": LOGIN}


def test_a_token_that_has_ended_is_asked_for_again(registry: FakeRegistry, log_in, monkeypatch: pytest.MonkeyPatch):
    log_in(registry.address)
    repository = Repository.named(f"oci+http://{registry.address}/models/small")
    authorization = Authorization(repository=repository, url=repository.blob(DIGEST))
    authorization.headers()
    authorization.headers()
    assert registry.sent("GET").count("/token") == 1
    monkeypatch.setattr("toolkit.model.hub.registry.time.monotonic", lambda: 1e9)
    authorization.headers()

    assert registry.sent("GET").count("/token") == 2


def test_without_a_login_the_error_says_how_to_log_in(registry: FakeRegistry, log_in):
    log_in("registry.example")
    with pytest.raises(ModelError, match=f'models/small is not public, .* "docker login {registry.address}"'):
        headers(registry)


@pytest.mark.parametrize("auth", ["basic", "private"])
def test_a_wrong_login_is_named(registry: FakeRegistry, log_in, auth: str):
    registry.auth = auth
    log_in(registry.address, auth=base64.b64encode(b"ci:wrong").decode())
    with pytest.raises(ModelError, match="does not accept the login"):
        headers(registry)


def test_another_hosts_token_server_gets_no_login(registry: FakeRegistry, log_in):
    registry.token_server = f"http://0.0.0.0:{registry.port}"
    log_in(registry.address)
    with pytest.raises(ModelError, match=r"is not sent to 0\.0\.0\.0"):
        headers(registry)

    assert registry.logins == []


def test_a_public_repository_needs_no_login_at_another_hosts_token_server(registry: FakeRegistry, log_in):
    registry.auth, registry.token_server = "token", f"http://0.0.0.0:{registry.port}"
    log_in(registry.address)

    assert headers(registry) == {"Authorization": "Bearer pull"}
    assert LOGIN not in registry.logins


@pytest.mark.parametrize(
    ("place", "url", "own"),
    [
        ("oci://ghcr.io/me/m", "https://ghcr.io/token", True),
        ("oci://ghcr.io/me/m", "http://ghcr.io/token", False),
        ("oci://ghcr.io/me/m", "https://ghcr.io.evil.example/token", False),
        ("oci://docker.io/me/m", "https://auth.docker.io/token", True),
        ("oci://registry.gitlab.com/me/m", "https://gitlab.com/jwt/auth", True),
        ("oci://registry.gitlab.com/me/m", "https://notgitlab.com/jwt/auth", False),
        ("oci://registry.cn-hangzhou.aliyuncs.com/me/m", "https://dockerauth.cn-hangzhou.aliyuncs.com/auth", True),
        ("oci://registry.cn-hangzhou.aliyuncs.com/me/m", "https://bucket.oss-cn-hangzhou.aliyuncs.com/auth", False),
        ("oci://me.azurecr.io/m", "https://you.azurecr.io/token", False),
        ("oci://registry.lan/m", "https://other.lan/token", False),
        ("oci+http://registry.lan/m", "http://registry.lan/token", False),
        ("oci+http://127.0.0.1:5000/m", "http://127.0.0.1:5001/token", True),
    ],
)
def test_a_token_server_is_the_registrys_own(place: str, url: str, own: bool):
    assert is_own_server(Repository.named(place), url) is own


def test_a_login_shows_no_secret():
    assert repr(Login(user="ci", password="secret", identity_token="token")) == "Login(user='ci')"


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"auths": [1]}', '{"auths": {"HOST": {"auth": "%"}}}', '{"credsStore": 1}']
)
def test_a_file_that_is_none_is_named_without_its_content(registry: FakeRegistry, log_in, tmp_path: Path, content: str):
    (tmp_path / "config.json").write_text(content.replace("HOST", registry.address))
    with pytest.raises(ConfigError, match=r"Docker's .*config\.json"):
        headers(registry)


def helper(folder: Path, answer: str, code: int = 0) -> None:
    program = folder / "docker-credential-test"
    program.write_text(f"#!/bin/sh\ncat > {folder}/asked\nprintf '%s' '{answer}'\nexit {code}\n")
    program.chmod(0o755)


@pytest.mark.parametrize("setting", [{"credsStore": "test"}, {"credHelpers": {"HOST": "test"}}])
def test_a_credential_helper_is_asked(registry: FakeRegistry, log_in, tmp_path: Path, monkeypatch, setting):
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    helper(tmp_path, '{"Username": "ci", "Secret": "secret"}')
    (tmp_path / "config.json").write_text(json.dumps(setting).replace("HOST", registry.address))

    assert headers(registry) == {"Authorization": "Bearer pull"}
    assert (tmp_path / "asked").read_text() == registry.address


@pytest.mark.parametrize(
    ("answer", "code", "why"),
    [("locked", 1, "locked"), ("nonsense", 0, "not a login"), ("credentials not found in native keychain", 1, None)],
)
def test_a_helper_that_fails_is_named_and_one_without_a_login_is_not(
    registry: FakeRegistry, log_in, tmp_path: Path, monkeypatch, answer: str, code: int, why: str | None
):
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    helper(tmp_path, answer, code)
    (tmp_path / "config.json").write_text(
        json.dumps({"credsStore": "test", "auths": {registry.address: {"auth": PAIR}}})
    )
    if why is None:
        assert headers(registry) == {"Authorization": "Bearer pull"}
    else:
        with pytest.raises(ConfigError, match=why):
            headers(registry)


def test_a_helper_is_a_name_and_no_path(registry: FakeRegistry, log_in, tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "../evil"}))
    with pytest.raises(ConfigError, match="malformed"):
        headers(registry)
