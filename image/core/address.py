"""Where something lies in a registry, and the login for it. Pure values."""

import re
from dataclasses import dataclass

from image.core.errors import ConfigError

REGISTRY = re.compile(r"(?:[\w\-]+(?:\.[\w\-]+)*|\[[0-9a-fA-F:]+\])(?::\d{1,5})?")
REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*")
TAG = re.compile(r"\w[\w.\-]{0,127}", re.ASCII)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?")
DOCKER_HUB, DOCKER_HUB_SERVER = "docker.io", "registry-1.docker.io"


@dataclass(frozen=True, kw_only=True)
class Login:
    """User and password, or the identity token (an OAuth 2 refresh token) that some registries issue instead."""

    user: str = ""
    password: str = ""
    identity_token: str = ""

    def __repr__(self) -> str:
        return f"Login(user={self.user!r})"  # tracebacks and logs show reprs


@dataclass(frozen=True, kw_only=True)
class Address:
    """`registry`/`repository` with a tag, a digest (`sha256:…`), or both."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def server(self) -> str:
        """The host to connect to: Docker Hub's differs from the name that users write."""
        return DOCKER_HUB_SERVER if self.registry == DOCKER_HUB else self.registry

    @property
    def on_loopback(self) -> bool:
        return LOOPBACK.fullmatch(self.registry) is not None

    def __str__(self) -> str:
        name = f"{self.registry}/{self.repository}"
        return f"{name}@{self.digest}" if self.digest else f"{name}:{self.tag}"


def read_address(text: str) -> Address:
    """Parses registry/name:tag or registry/name@sha256:…; given both, the digest wins. Raises ConfigError."""
    name, _, digest = text.partition("@")
    registry, _, rest = name.partition("/")
    repository, colon, tag = rest.partition(":")
    valid_name = REGISTRY.fullmatch(registry) and REPOSITORY.fullmatch(repository)
    valid_version = DIGEST.fullmatch(digest) if digest else TAG.fullmatch(tag)
    if not valid_name or not valid_version or (colon and not TAG.fullmatch(tag)):
        raise ConfigError(
            f'"{text}" is not a valid registry reference.',
            next="Write REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:… in lower case, such as ghcr.io/me/adapter:1.0.",
        )
    return Address(registry=registry, repository=repository, tag=tag, digest=digest)
