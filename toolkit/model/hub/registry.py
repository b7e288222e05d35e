"""A registry as a source of files: each is a blob whose digest is the lock's sha256; no manifest is read.

So `oras push` and ModelPack's tools store files. If the registry demands it, the login that Docker has stored becomes
a token, or is sent as it is: only to the registry itself and to its own token server, over TLS or within this machine.
(https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-blobs,
https://distribution.github.io/distribution/spec/auth/token/)
"""

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from toolkit.core.errors import ConfigError, ModelError
from toolkit.model.hub.logins import Login, find_login

if TYPE_CHECKING:
    import httpx

# Plain HTTP is for registries of a private network.
PLACE = re.compile(r"oci(?:\+(http))?://([\w.\-]+(?::\d{1,5})?)/([a-z0-9][a-z0-9._/\-]*)", re.ASCII)
DOCKER_HUB = {"docker.io": "registry-1.docker.io"}
FRESH_S = 45.0  # of a token: the specification's shortest life is 60 s
TIMEOUT_S = 10.0
CLIENT_ID = "finetune-and-prove"
LOOPBACK = re.compile(r"localhost|127(?:\.\d+){3}|::1")
PARAMETER = re.compile(r'(\w+)="([^"]*)"')
REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


@dataclass(frozen=True, kw_only=True)
class Repository:
    """`host` with its port, `name` without a tag."""

    scheme: str
    host: str
    name: str

    @classmethod
    def named(cls, place: str) -> Self:
        """Raises ConfigError unless it is oci://HOST/NAME, or oci+http:// for a registry without TLS."""
        found = PLACE.fullmatch(place.rstrip("/"))
        if found is None:
            raise ConfigError(
                f'"{place}" is not a repository of a registry.', next="Write oci://HOST/NAME, without a tag."
            )
        plain, host, name = found.groups()
        return cls(scheme=plain or "https", host=DOCKER_HUB.get(host, host), name=name)

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"

    def blob(self, sha256: str) -> str:
        return f"{self.scheme}://{self.host}/v2/{self.name}/blobs/sha256:{sha256}"


@dataclass(kw_only=True)
class Authorization:
    """The header with which one blob is asked for, by several threads; a token ends within minutes, a download may not.

    Its methods raise ModelError where the registry refuses, ConfigError of `find_login`, and the client's own errors.
    """

    repository: Repository
    url: str
    _until: float = field(default=0.0, init=False)
    _headers: Mapping[str, str] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def headers(self) -> Mapping[str, str]:
        with self._lock:
            if time.monotonic() > self._until:
                self._headers, self._until = self._negotiated(), time.monotonic() + FRESH_S
            return self._headers

    def _negotiated(self) -> Mapping[str, str]:
        from huggingface_hub.utils import hf_raise_for_status

        answer = self._head({})
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            challenge = answer.headers.get("WWW-Authenticate", "")
            fields = dict(PARAMETER.findall(challenge))
            server = fields.pop("realm", "") if challenge.lower().startswith("bearer ") else self.url
            login = find_login(self.repository.host)
            sent = login if is_own_server(self.repository, server) else None
            headers = self._token(server, fields, sent) if server != self.url else {} if sent is None else sent.header
            answer = self._head(headers) if headers else answer
            if answer.status_code in REFUSED:
                raise self._refusal(login, sent, server)
        else:
            headers = {}
        if not answer.is_redirect:
            hf_raise_for_status(answer)
        return headers

    def _head(self, headers: Mapping[str, str]) -> "httpx.Response":
        from huggingface_hub.utils import get_session

        session: httpx.Client = get_session()
        return session.head(self.url, headers=dict(headers), follow_redirects=False, timeout=TIMEOUT_S)

    def _token(self, server: str, fields: Mapping[str, str], login: Login | None) -> Mapping[str, str]:
        """The header with the token that the server gives to anyone, or to who has the login; empty if it refuses."""
        from huggingface_hub.utils import get_session, hf_raise_for_status

        session: httpx.Client = get_session()
        options: dict[str, Any] = {
            "timeout": TIMEOUT_S,
            "follow_redirects": login is None,
        }  # it would take it elsewhere
        if not server.startswith(("https://", "http://")):
            return {}
        if login is not None and login.identity_token:
            form = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": login.identity_token}
            given = session.post(server, data={**form, **fields}, **options)
        else:
            given = session.get(server, params=dict(fields), headers={} if login is None else login.header, **options)
        if given.status_code in REFUSED or given.is_redirect:
            return {}
        hf_raise_for_status(given)
        answer = given.json()
        return {"Authorization": f"Bearer {answer.get('token') or answer.get('access_token')}"}

    def _refusal(self, login: Login | None, sent: Login | None, server: str) -> ModelError:
        host = self.repository.host
        if login is None:
            return ModelError(
                f"{self.repository} is not public, and there is no login for {host}.",
                next=f'Log in with "docker login {host}" or "oras login {host}".',
            )
        if sent is None:
            return ModelError(
                f"{self.repository} is not public, and the login for {host} is not sent to {urlsplit(server).netloc}, "
                "which has no TLS or is not the registry's own.",
                next="Pull the files with oras or docker's tools, and name their folder.",
            )
        return ModelError(
            f"{self.repository} does not accept the login for {host}.",
            next=f'Log in with "docker login {host}" as somebody who may read it.',
        )


def is_own_server(repository: Repository, url: str) -> bool:
    """Whether the login for a registry may go to `url`: the registry, or a token server of its own.

    Over TLS: to the registry's host on any port; from a host called registry… also to the domain above it and to the
    hosts below that, as registry-1.docker.io names auth.docker.io, and registry.gitlab.com names gitlab.com. Without
    TLS: from loopback to loopback.
    """
    server, registry = urlsplit(url), urlsplit(f"{repository.scheme}://{repository.host}")
    ours, theirs = registry.hostname or "", server.hostname or ""
    if server.scheme != "https" or registry.scheme != "https":
        return bool(LOOPBACK.fullmatch(ours) and LOOPBACK.fullmatch(theirs))
    first, _, domain = ours.partition(".")
    above = domain if first.startswith("registry") and "." in domain else ""
    return theirs == ours or bool(above and (theirs == above or theirs.endswith(f".{above}")))
