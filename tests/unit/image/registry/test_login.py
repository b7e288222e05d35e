"""Whom a login goes to: the registry that it is for, over TLS, and nobody else."""

import base64
import json
from pathlib import Path

import pytest
import requests
from urllib3.util import parse_url

from image.core.address import Login, read_address
from image.core.errors import RegistryError
from image.registry import Repository
from image.registry.login import is_own_token_server, registrable_domain
from image.registry.transport import Origin
from tests.fakes.web import FakeWeb, fake_web

USER_AND_PASSWORD = base64.b64encode(b"ci:secret").decode()
SECRETS = (USER_AND_PASSWORD, "secret", "refresh-me")
REGISTRY = "https://registry.example.com"
MANIFEST = f"{REGISTRY}/v2/team/adapter/manifests/1"
BLOB = f"{REGISTRY}/v2/team/adapter/blobs/sha256:{'a' * 64}"


@pytest.fixture(name="web")
def _web(monkeypatch: pytest.MonkeyPatch):
    with fake_web(monkeypatch) as web:
        web.answers[f"{REGISTRY}/v2/"] = 401, {"WWW-Authenticate": "Bearer"}, b""
        yield web


def repository(login: Login | None = Login(user="ci", password="secret")) -> Repository:  # noqa: B008
    return Repository(
        read_address("registry.example.com/team/adapter:1"), notify=lambda _: None, login=login, tries=3,
        pause=lambda _: None,
    )  # fmt: skip


def bearer(realm: str) -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer realm="{realm}",service="s",scope="repository:team/adapter:pull"'}


def needs_token(realm: str, body: bytes = b"{}"):
    def answer(request: requests.PreparedRequest):
        return (200, {}, body) if request.headers.get("Authorization") == "Bearer t0k" else (401, bearer(realm), b"")

    return answer


def gives_token(request: requests.PreparedRequest):
    return 200, {}, json.dumps({"token": "t0k"}).encode()


@pytest.mark.parametrize(
    "realm",
    ["https://registry.example.com/token", "https://registry.example.com:5001/token", "https://auth.example.com/token"],
)
def test_its_own_token_server_gets_the_login_and_the_registry_the_token(web: FakeWeb, realm: str) -> None:
    web.answers |= {MANIFEST: needs_token(realm), realm: gives_token}

    assert repository().manifest() == b"{}"
    [asked] = [request for request in web.received if request.url.startswith(f"{realm}?")]
    assert asked.headers["Authorization"] == f"Basic {USER_AND_PASSWORD}"
    assert "scope=repository%3Ateam%2Fadapter%3Apull" in asked.url


@pytest.mark.parametrize("login", [Login(user="ci", password="secret"), Login(identity_token="refresh-me")])
@pytest.mark.parametrize(
    ("realm", "host"),
    [
        ("https://evil.example/token", "evil.example"),
        ("https://example.com.evil.example/token", "evil.example"),
        ("https://registry.example.com@evil.example/token", "evil.example"),
        ("http://registry.example.com/token", "registry.example.com"),
        ("http://auth.example.com/token", "auth.example.com"),
    ],
)
def test_another_domains_or_a_plain_token_server_gets_nothing(
    web: FakeWeb, realm: str, host: str, login: Login
) -> None:
    web.answers |= {MANIFEST: needs_token(realm), realm: gives_token}
    with pytest.raises(RegistryError, match=r"your login was not sent|without TLS"):
        repository(login).manifest()
    assert web.secrets_seen_by(host, *SECRETS) == []
    assert all(request.url.startswith(REGISTRY) for request in web.received)


def test_without_a_login_a_public_artifact_can_have_any_token_server(web: FakeWeb) -> None:
    web.answers |= {MANIFEST: needs_token("https://tokens.example.net/"), "https://tokens.example.net/": gives_token}
    assert repository(login=None).manifest() == b"{}"


@pytest.mark.parametrize("challenge", ['Basic realm="x"', *bearer("https://storage.example.net/token").values()])
@pytest.mark.parametrize("basic", [True, False])
def test_a_redirects_target_gets_neither_login_nor_token(
    web: FakeWeb, tmp_path: Path, challenge: str, basic: bool
) -> None:
    """CVE-2020-15157: the target of a redirect answers 401 and names a token server of its own."""
    if basic:
        web.answers[f"{REGISTRY}/v2/"] = 401, {"WWW-Authenticate": 'Basic realm="r"'}, b""
    redirect = (307, {"Location": "https://storage.example.net/blob"}, b"")
    token = f"{REGISTRY}/token"
    web.answers |= {
        MANIFEST: (200, {}, b"{}") if basic else needs_token(token),
        BLOB: redirect,
        "https://storage.example.net/blob": (401, {"WWW-Authenticate": challenge}, b""),
        token: gives_token,
        "https://storage.example.net/token": gives_token,
    }
    door = repository()
    door.manifest()
    with pytest.raises(RegistryError, match="401"):
        door.fetch_blob(f"sha256:{'a' * 64}", 1, tmp_path / "blob")
    assert web.secrets_seen_by("storage.example.net", *SECRETS, "t0k") == []
    assert web.received[-1].url == "https://storage.example.net/blob"


def test_a_token_servers_redirect_takes_the_login_nowhere(web: FakeWeb) -> None:
    realm = f"{REGISTRY}/token"
    web.answers |= {
        MANIFEST: needs_token(realm),
        realm: (307, {"Location": "https://evil.example/token"}, b""),
        "https://evil.example/token": (401, {"WWW-Authenticate": 'Basic realm="e"'}, b""),
    }
    for login in (Login(user="ci", password="secret"), Login(identity_token="refresh-me")):
        with pytest.raises(RegistryError):
            repository(login).push_manifest(b"{}")
    assert web.secrets_seen_by("evil.example", *SECRETS) == []


@pytest.mark.parametrize("location", ["http://registry.example.com/plain", "http://storage.example.net/x", "file:///x"])
def test_no_redirect_leaves_tls(web: FakeWeb, location: str) -> None:
    web.answers |= {MANIFEST: (302, {"Location": location}, b""), location: (200, {}, b"{}")}
    with pytest.raises(RegistryError, match=r"without TLS|not a URL of a server"):
        repository().manifest()
    assert all(request.url.startswith(REGISTRY) for request in web.received)


def test_a_redirect_there_and_back_stays_without_the_login(web: FakeWeb) -> None:
    web.answers |= {
        f"{REGISTRY}/v2/": (401, {"WWW-Authenticate": 'Basic realm="r"'}, b""),
        MANIFEST: (307, {"Location": "https://evil.example/"}, b""),
        "https://evil.example/": (307, {"Location": f"{REGISTRY}/v2/team/other/manifests/1"}, b""),
    }
    with pytest.raises(RegistryError):
        repository().push_manifest(b"{}")
    assert web.received[-1].url == f"{REGISTRY}/v2/team/other/manifests/1"
    assert "Authorization" not in web.received[-1].headers


@pytest.mark.parametrize("location", ["https://[", "https://a:99999999/", "https://", "ftp://x/", "https://\x00/"])
def test_a_redirect_to_nonsense_is_the_registrys_error(web: FakeWeb, location: str) -> None:
    web.answers[MANIFEST] = 302, {"Location": location}, b""
    with pytest.raises(RegistryError):
        repository().manifest()


def test_an_upload_location_elsewhere_gets_no_login(web: FakeWeb, tmp_path: Path) -> None:
    web.answers |= {
        f"{REGISTRY}/v2/": (401, {"WWW-Authenticate": 'Basic realm="r"'}, b""),
        f"{REGISTRY}/v2/team/adapter/blobs/uploads/": (202, {"Location": "https://storage.example.net/up"}, b""),
        "https://storage.example.net/up": (401, bearer("https://storage.example.net/token"), b""),
        "https://storage.example.net/token": gives_token,
    }
    file = tmp_path / "file"
    file.write_bytes(b"x")
    with pytest.raises(RegistryError, match="401"):
        repository().push_blob(file, f"sha256:{'a' * 64}", 1)
    assert web.secrets_seen_by("storage.example.net", *SECRETS) == []


def test_a_login_of_netrc_is_not_used(web: FakeWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine registry.example.com login ci password secret\ndefault login ci password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    web.answers[MANIFEST] = 302, {"Location": "https://storage.example.net/blob"}, b""
    web.answers["https://storage.example.net/blob"] = 200, {}, b"{}"

    assert repository(login=None).manifest() == b"{}"
    assert not any("Authorization" in request.headers for request in web.received)


def test_an_identity_token_is_exchanged_in_a_body(web: FakeWeb) -> None:
    """As docker does with what `az acr login` stores: https://distribution.github.io/distribution/spec/auth/oauth/."""
    realm = f"{REGISTRY}/oauth2/token"

    def exchange(request: requests.PreparedRequest):
        right = request.method == "POST" and "refresh_token=refresh-me" in request.body.decode()
        return (200, {}, b'{"access_token": "t0k"}') if right else (401, {}, b"")

    web.answers |= {MANIFEST: needs_token(realm), realm: exchange}
    assert repository(Login(identity_token="refresh-me")).manifest() == b"{}"
    [form] = [request.body.decode() for request in web.received if request.method == "POST"]
    assert "grant_type=refresh_token" in form
    assert "service=s" in form
    assert not any("refresh-me" in request.url for request in web.received)


def test_a_registry_without_tokens_cannot_take_an_identity_token(web: FakeWeb) -> None:
    web.answers[f"{REGISTRY}/v2/"] = 401, {"WWW-Authenticate": 'Basic realm="r"'}, b""
    with pytest.raises(RegistryError, match="takes no identity tokens") as refused:
        repository(Login(identity_token="refresh-me")).manifest()
    assert "docker login -u USER registry.example.com" in refused.value.next


@pytest.mark.parametrize("body", [b"no json", b"[]", b'{"token": 1}', b'{"token": "a\\r\\nX: y"}', b"[" * 100_000])
def test_a_token_server_that_answers_nonsense_is_named(web: FakeWeb, body: bytes) -> None:
    realm = f"{REGISTRY}/token"
    web.answers |= {MANIFEST: needs_token(realm), realm: (200, {}, body)}
    with pytest.raises(RegistryError, match="token server sent no valid token"):
        repository().manifest()


@pytest.mark.parametrize(
    ("registry", "server", "own"),
    [
        ("https://registry-1.docker.io", "https://auth.docker.io", True),
        ("https://ghcr.io", "https://ghcr.io", True),
        ("https://registry.gitlab.com", "https://gitlab.com", True),
        ("https://registry.cn-hangzhou.aliyuncs.com", "https://dockerauth.cn-hangzhou.aliyuncs.com", True),
        ("https://rg.fr-par.scw.cloud", "https://api.scaleway.com", True),
        ("https://rg.fr-par.scw.cloud", "https://scaleway.com.example", False),
        ("https://a.example.co.uk", "https://b.example.co.uk", True),
        ("https://a.co.uk", "https://b.co.uk", False),
        ("https://a.com.cn", "https://b.com.cn", False),
        ("https://mine.azurecr.io", "https://mine.azurecr.io", True),
        ("https://mine.azurecr.io", "https://others.azurecr.io", False),
        ("https://docker.io.evil.example", "https://auth.docker.io", False),
        ("https://10.0.0.1", "https://10.0.0.1", True),
        ("https://10.0.0.1", "https://11.0.0.1", False),
        ("https://registry", "https://tokens", False),
        ("https://registry.example.com", "http://registry.example.com", False),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5001", True),
        ("http://localhost:5000", "http://[::1]:5001", True),
        ("http://127.0.0.1:5000", "http://tokens.example.com", False),
        ("http://registry.example.com", "http://registry.example.com", False),
        ("https://registry.example.com", "http://127.0.0.1:5001", False),
    ],
)
def test_which_token_servers_are_a_registrys_own(registry: str, server: str, own: bool) -> None:
    def origin(url: str) -> Origin:
        parts = parse_url(url)
        return Origin(scheme=parts.scheme, host=parts.host, port=parts.port or 443)

    assert is_own_token_server(origin(registry), origin(server)) is own


def test_an_address_has_no_domain() -> None:
    assert registrable_domain("127.0.0.1") == registrable_domain("[::1]") == registrable_domain("registry") == ""
