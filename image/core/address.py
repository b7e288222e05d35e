"""A place in a registry, and who may go there. Pure values."""

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
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login(user={self.user!r})"  # a traceback shows values


@dataclass(frozen=True, kw_only=True)
class Address:
    """`registry`/`repository`, and a tag or a digest in it."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def server(self) -> str:
        """The host that answers: Docker Hub's is not the one that people write."""
        return DOCKER_HUB_SERVER if self.registry == DOCKER_HUB else self.registry

    @property
    def on_loopback(self) -> bool:
        return LOOPBACK.fullmatch(self.registry) is not None

    def __str__(self) -> str:
        name = f"{self.registry}/{self.repository}"
        return f"{name}@{self.digest}" if self.digest else f"{name}:{self.tag}"


def read_address(text: str) -> Address:
    """Reads registry/name:tag or registry/name@sha256:…; with both, the digest decides. Raises ConfigError."""
    name, _, digest = text.partition("@")
    registry, _, rest = name.partition("/")
    repository, colon, tag = rest.partition(":")
    whole = REGISTRY.fullmatch(registry) and REPOSITORY.fullmatch(repository)
    named = DIGEST.fullmatch(digest) if digest else TAG.fullmatch(tag)
    if not whole or not named or (colon and not TAG.fullmatch(tag)):
        raise ConfigError(
            f'"{text}" is no name in a registry.',
            next="Write REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:…, in small letters, such as ghcr.io/me/adapter:1.0.",
        )
    return Address(registry=registry, repository=repository, tag=tag, digest=digest)
