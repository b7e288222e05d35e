"""The connection to the engine: its images, pushes and pulls."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.core.errors import ConfigError, EngineError, first_line, root_cause
from image.engine.logins import check_login, check_logins

TIMEOUT_S = 600  # a push is silent while the registry stores a large layer; the SDK's default of 60 s is too short
PUSHED = "Pushed"
FINISHED = (PUSHED, "Layer already exists", "Mounted from")


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    version: str
    containerd_store: bool  # only this image store keeps a digest from build to registry
    memory_bytes: int
    storage: Path  # on the engine's machine, which may be another
    rootless: bool
    runtimes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One step of an image's history. Steps that only set configuration have 0 bytes."""

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
    """One event of a push. All fields but `error` are empty in the event of a failure."""

    layer: str = ""  # the engine's short digest of it
    status: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    digest: str = ""  # of the image, in the last event of a successful push
    error: str = ""

    @property
    def finished(self) -> bool:
        return self.status.startswith(FINISHED)

    @property
    def already_present(self) -> bool:
        return self.finished and self.status != PUSHED


class Engine:
    """One connection. Every method raises EngineError, with a message for users."""

    def __init__(self, client: Any) -> None:
        self.client = client

    @property
    def api(self) -> Any:
        return self.client.api

    def info(self) -> EngineInfo:
        with engine_errors("querying the engine"):
            info, version = self.client.info(), self.client.version()
        return EngineInfo(
            version=version["Version"],
            containerd_store=any("containerd" in str(entry) for entry in info.get("DriverStatus") or []),
            memory_bytes=info["MemTotal"],
            storage=Path(info["DockerRootDir"]),
            rootless=any("rootless" in option for option in info.get("SecurityOptions") or []),
            runtimes=tuple(sorted(info.get("Runtimes") or {})),
        )

    def find_image(self, reference: str) -> ImageInfo | None:
        """None if the engine does not have the image. Does not pull it."""
        from docker.errors import ImageNotFound

        try:
            with engine_errors(f"looking for the image {reference}"):
                details = self.api.inspect_image(reference)
        except EngineError as error:
            if isinstance(error.__cause__, ImageNotFound):
                return None
            raise
        config = details.get("Config") or {}
        return ImageInfo(
            reference=reference,
            image_id=details["Id"],
            labels=dict(config.get("Labels") or {}),
            repo_digests=tuple(details.get("RepoDigests") or ()),
        )

    def history(self, reference: str) -> list[Layer]:
        """The image's steps, from the base upwards."""
        with engine_errors(f"reading the history of {reference}"):
            steps = self.api.history(reference)
        return [Layer(created_by=step.get("CreatedBy") or "", size_bytes=step["Size"]) for step in reversed(steps)]

    def tag(self, reference: str, new_reference: str) -> None:
        repository, tag = split_reference(new_reference)
        with engine_errors(f"tagging {reference} as {new_reference}"):
            self.api.tag(reference, repository, tag)

    def pull(self, reference: str) -> None:
        """Raises EngineError if the registry refuses, too."""
        check_login(reference)
        repository, tag = split_reference(reference)
        with engine_errors(f"pulling {reference}"):
            # The low-level call, since the high-level one hides failures behind a 404.
            for event in self.api.pull(repository, tag=tag or None, stream=True, decode=True):
                if "error" in event:
                    raise EngineError(f"Cannot pull {reference}: {event['error'].rstrip('.')}.")

    def push(self, reference: str) -> Iterator[PushEvent]:
        """Yields the push's events. A failed push is an event too: `PushEvent.error`, in the engine's words."""
        check_login(reference)
        repository, tag = split_reference(reference)
        with engine_errors(f"pushing {reference}"):
            for event in self.api.push(repository, tag=tag, stream=True, decode=True):
                yield read_push_event(event)

    def registry_digest(self, reference: str) -> str:
        """The digest that the registry reports for `reference`."""
        with engine_errors(f"asking the registry for {reference}"):
            return str(self.api.inspect_distribution(reference)["Descriptor"]["digest"])

    @contextmanager
    def archive(self, reference: str, path: str) -> Iterator[Iterator[bytes]]:
        """Yields a tar stream of `path` in the image. Creates a container for it, but never starts it."""
        with engine_errors(f"reading {path} of {reference}"):
            container = self.api.create_container(reference, ["true"])["Id"]
        try:
            with engine_errors(f"reading {path} of {reference}"):
                stream, _ = self.api.get_archive(container, path, chunk_size=1024 * 1024)
                yield stream
        finally:
            self.api.remove_container(container, force=True)


def connect() -> Engine:
    """Connects to the engine named by DOCKER_HOST or the current Docker context. Raises EngineError and ConfigError."""
    import docker
    from docker.errors import DockerException

    check_logins()
    try:
        return Engine(docker.from_env(timeout=TIMEOUT_S, version="auto"))
    except DockerException as error:
        where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        denied = "Permission denied" in str(error)
        why = "permission denied" if denied else first_line(root_cause(error))
        remedy = (
            "Add yourself to the docker group and log in again."
            if denied
            else "Start Docker, or set DOCKER_HOST; to work without Docker: make … RUNTIME=local."
        )
        raise EngineError(f"No Docker engine answers at {where}: {why}.", next=remedy) from error


@contextmanager
def engine_errors(action: str) -> Iterator[None]:
    """Turns the SDK's exceptions into EngineError, with the original as its cause. `action`: "pulling x"."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        raise EngineError(f"The engine refused {action}: {error.explanation or first_line(error)}.") from error
    except (DockerException, RequestException, OSError) as error:
        raise EngineError(
            f"The connection to the engine failed while {action}: {first_line(root_cause(error))}.",
            next="Check that it is still running: docker info.",
        ) from error


def read_push_event(event: dict[str, Any]) -> PushEvent:
    """Parses one of the engine's push events. overlay2 has the digest in `aux`, the containerd store in `status`."""
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
    """Splits "host:5000/team/name:tag" into repository and tag. A digest counts as the tag. Raises ConfigError."""
    if "@" in reference:
        repository, _, digest = reference.partition("@")
        return repository, digest
    repository, colon, tag = reference.rpartition(":")
    if not colon or "/" in tag:
        return reference, "latest"
    if not repository:
        raise ConfigError(f'"{reference}" is not an image reference.', next="Write NAME:TAG.")
    return repository, tag
