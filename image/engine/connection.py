"""The engine and its images, asked through the Docker SDK."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.core.address import Login
from image.core.errors import ConfigError, EngineError

TIMEOUT_S = 600  # a push is silent while the registry takes in a large layer; the SDK's own 60 s end it
FINISHED = ("Pushed", "Layer already exists", "Mounted from")


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    version: str
    containerd_store: bool  # keeps an image's digest from build to registry
    memory_bytes: int
    storage: Path  # on the engine's machine
    rootless: bool
    runtimes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One step of an image's history; steps that only set configuration have 0 bytes."""

    created_by: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class ImageInfo:
    reference: str
    image_id: str
    labels: dict[str, str]
    repo_digests: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PushEvent:
    layer: str = ""  # the short name that the engine gives it
    status: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    digest: str = ""  # in the last event of a push that went well
    error: str = ""

    @property
    def finished(self) -> bool:
        return self.status.startswith(FINISHED)

    @property
    def was_there(self) -> bool:
        return self.finished and self.status != "Pushed"


class Engine:
    """One connection; every method raises EngineError in the user's words."""

    def __init__(self, client: Any) -> None:
        self.client = client

    @property
    def api(self) -> Any:
        return self.client.api

    def info(self) -> EngineInfo:
        with failures("asking the engine about itself"):
            told, version = self.client.info(), self.client.version()
        return EngineInfo(
            version=version["Version"],
            containerd_store=any("containerd" in str(entry) for entry in told.get("DriverStatus") or []),
            memory_bytes=told["MemTotal"],
            storage=Path(told["DockerRootDir"]),
            rootless=any("rootless" in option for option in told.get("SecurityOptions") or []),
            runtimes=tuple(sorted(told.get("Runtimes") or {})),
        )

    def find_image(self, reference: str) -> ImageInfo | None:
        """None where the engine has no such image; nothing is pulled."""
        from docker.errors import ImageNotFound

        try:
            with failures(f"looking for the image {reference}"):
                told = self.api.inspect_image(reference)
        except EngineError as error:
            if isinstance(error.__cause__, ImageNotFound):
                return None
            raise
        config = told.get("Config") or {}
        return ImageInfo(
            reference=reference,
            image_id=told["Id"],
            labels=dict(config.get("Labels") or {}),
            repo_digests=tuple(told.get("RepoDigests") or ()),
        )

    def history(self, reference: str) -> list[Layer]:
        """The image's steps, the lowest first."""
        with failures(f"reading the history of {reference}"):
            steps = self.api.history(reference)
        return [Layer(created_by=step.get("CreatedBy") or "", size_bytes=step["Size"]) for step in reversed(steps)]

    def tag(self, reference: str, other: str) -> None:
        repository, tag = split_reference(other)
        with failures(f"naming {reference} {other}"):
            self.api.tag(reference, repository, tag)

    def pull(self, reference: str) -> None:
        """Raises EngineError where the registry does not give it."""
        repository, tag = split_reference(reference)
        with failures(f"pulling {reference}"):
            # The low-level call: the high-level one hides a failure behind a 404.
            for event in self.api.pull(repository, tag=tag or None, stream=True, decode=True):
                if "error" in event:
                    raise EngineError(f"{reference} cannot be pulled: {event['error']}.")

    def push(self, reference: str) -> Iterator[PushEvent]:
        """The push's events; a failure is an event too (`PushEvent.error`), as the engine has it."""
        repository, tag = split_reference(reference)
        with failures(f"pushing {reference}"):
            for event in self.api.push(repository, tag=tag, stream=True, decode=True):
                yield read_event(event)

    def registry_digest(self, reference: str) -> str:
        """The digest under which the registry itself has `reference`."""
        with failures(f"asking the registry for {reference}"):
            return str(self.api.inspect_distribution(reference)["Descriptor"]["digest"])

    @contextmanager
    def archive(self, reference: str, path: str) -> Iterator[Iterator[bytes]]:
        """A tar stream of `path` in the image, read without running anything of it."""
        with failures(f"reading {path} of {reference}"):
            container = self.api.create_container(reference, ["true"])["Id"]
        try:
            with failures(f"reading {path} of {reference}"):
                stream, _ = self.api.get_archive(container, path, chunk_size=1024 * 1024)
                yield stream
        finally:
            self.api.remove_container(container, force=True)


def connect() -> Engine:
    """The engine that DOCKER_HOST, or else the current Docker context, names."""
    import docker
    from docker.errors import DockerException

    try:
        return Engine(docker.from_env(timeout=TIMEOUT_S, version="auto"))
    except DockerException as error:
        where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        why = "permission denied" if "Permission denied" in str(error) else _last_words(error)
        remedy = (
            "Add yourself to the docker group and log in afresh."
            if why == "permission denied"
            else "Start Docker, or set DOCKER_HOST; without Docker: make … RUNTIME=local."
        )
        raise EngineError(f"No Docker engine answers at {where}: {why}.", next=remedy) from error


def find_login(registry: str) -> Login | None:
    """None where nobody is logged in; no engine is asked. Raises EngineError where a credential store fails."""
    import docker.auth
    from docker.errors import DockerException

    try:
        found: dict[str, Any] = docker.auth.load_config().resolve_authconfig(registry) or {}
    except DockerException as error:
        raise EngineError(
            f"Docker's credential store fails: {error}.", next=f"Log in afresh: docker login {registry}."
        ) from error
    user, password = found.get("Username") or found.get("username"), found.get("Password") or found.get("password")
    return Login(user=str(user), password=str(password)) if user and password else None


@contextmanager
def failures(doing: str) -> Iterator[None]:
    """What the SDK raises leaves as EngineError, its cause attached."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        raise EngineError(f"The engine refused {doing}: {error.explanation or error}.") from error
    except (DockerException, RequestException, OSError) as error:
        raise EngineError(f"The engine broke off while {doing}: {_last_words(error)}.", next=GONE) from error


GONE = "See whether it still runs: docker info."


def read_event(event: dict[str, Any]) -> PushEvent:
    """An event of the engine's; the digest comes in `aux` (overlay2 store) or in words (containerd store)."""
    if "error" in event:
        detail = event.get("errorDetail") or {}
        return PushEvent(error=str(detail.get("message") or event["error"]))
    status, progress = str(event.get("status") or ""), event.get("progressDetail") or {}
    digest = str((event.get("aux") or {}).get("Digest") or "")
    if not digest and " digest: " in status:
        digest = status.partition(" digest: ")[2].split(maxsplit=1)[0]
    return PushEvent(
        layer=str(event.get("id") or ""),
        status=status,
        done_bytes=int(progress.get("current") or 0),
        total_bytes=int(progress.get("total") or 0),
        digest=digest,
    )


def split_reference(reference: str) -> tuple[str, str]:
    """Repository and tag of "host:5000/team/name:tag"; a digest counts as the tag."""
    if "@" in reference:
        repository, _, digest = reference.partition("@")
        return repository, digest
    repository, colon, tag = reference.rpartition(":")
    if not colon or "/" in tag:
        return reference, "latest"
    if not repository:
        raise ConfigError(f'"{reference}" names no image.', next="Write NAME:TAG.")
    return repository, tag


def _last_words(error: BaseException) -> str:
    """The innermost cause's message: the SDK wraps it in three layers of its own."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(words).rstrip(".")
