"""An image without weights: the base model comes from this host's `models/`, which all such images share.

If it is not there yet, `toolkit download` fetches it here, with the host's own network, proxies and tokens, while the
container already imports its libraries: the command in it waits for the folder (toolkit.model.hub.arrival).
"""

import fcntl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from image.build.build import download_failure, start_download
from image.core import labels
from image.core.errors import ConfigError
from image.core.lock import Lock
from image.core.progress import Notify
from image.core.project import DEFAULT_MODEL, NO_MODEL, ROOT, find_lock, local_reference, model_folder
from image.engine import Engine, ImageInfo, Mount

MODELS = "/root/models"  # in the container
POLL_S = 0.02
# Commands that read no base model, so that none is fetched for them.
LIGHT = frozenset(
    {"attest", "download", "launch", "make-data", "push-to-hub", "runs", "verify", "verify-evidence", "--help"}
)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The base model for an image without one; `folder` may still be arriving, or never come if it is not needed."""

    lock: Lock
    folder: Path

    @classmethod
    def named(cls, name: str) -> "Weights":
        """Raises ConfigError for an unknown name."""
        lock = find_lock(DEFAULT_MODEL if name == NO_MODEL else name)
        return cls(lock=lock, folder=model_folder(lock))

    @property
    def shipped(self) -> bool:
        """Whether the image has it among its data, as the toolkit's own small model."""
        return self.folder.is_relative_to(ROOT / "data")

    def mounts(self) -> tuple[Mount, ...]:
        if self.shipped:
            return ()
        self.folder.parent.mkdir(parents=True, exist_ok=True)  # else the engine makes it, as root
        return (Mount(source=str(self.folder.parent.resolve()), target=MODELS),)


def image_for(engine: Engine, reference: str, model: str) -> ImageInfo | None:
    """The image called `reference`; else the one without weights, for a model with a lock; None without either."""
    found = engine.find_image(reference)
    if found is None and reference == local_reference(model):
        with suppress(ConfigError):
            find_lock(model)
            found = engine.find_image(local_reference(NO_MODEL))
    return found


def needs_weights(command: Sequence[str]) -> bool:
    """Whether the command in the container is one that reads a base model."""
    return command[0] in {"toolkit", "swift"} and LIGHT.isdisjoint(command[1:2])


def has_no_weights(image: ImageInfo) -> bool:
    return image.labels.get(labels.MODEL_NAME) == NO_MODEL


@contextmanager
def arriving(weights: Weights, command: Sequence[str], notify: Notify, *, first: bool) -> Iterator[None]:
    """Within, the model is on this host, or on its way. With `first`, it is complete before anything else begins.

    Raises WeightsError and Interrupted. A download that is still going on at the end is stopped, and can be resumed.
    """
    if weights.folder.is_dir() or not needs_weights(command):
        yield
        return
    child = start_download(weights.lock, weights.folder, notify)
    try:
        while child.poll() is None and (first or not _has_begun(weights.folder)):
            time.sleep(POLL_S)
        if child.poll():
            raise download_failure(child.returncode, weights.lock)
        yield
    finally:
        if child.poll() is None:
            child.terminate()
        child.wait()


def _has_begun(folder: Path) -> bool:
    """Whether the download holds its lock, for which the command in the container looks."""
    try:
        with (folder.with_name(f"{folder.name}.partial") / ".lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return folder.is_dir()
    return folder.is_dir()
