"""The use case `verify`: an image examined from outside, layer by layer, and from inside by the toolkit itself."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from image.core import labels
from image.core.errors import EngineError
from image.core.lock import BLOCK_BYTES, Lock
from image.core.progress import Listener, Progress
from image.core.project import NO_MODEL, find_lock, version
from image.engine import ContainerConfig, Engine, ImageInfo, Layer, connect, run_container


@dataclass(frozen=True, kw_only=True)
class Finding:
    good: bool
    what: str


def verify(reference: str, *, listener: Listener) -> Iterator[Finding]:
    """One finding a thing examined, as it is found. Raises EngineError where the image is not to be had."""
    engine = connect()
    image = engine.find_image(reference)
    if image is None:
        engine.pull(reference)
        image = engine.find_image(reference)
        if image is None:
            raise EngineError(f"{reference} was pulled and is not there.")
    yield _digest(reference, image)
    yield _labels(image)
    yield _version(image)
    if image.labels.get(labels.MODEL_NAME, NO_MODEL) == NO_MODEL:
        yield Finding(good=True, what="model: none is baked in")
        return
    lock = find_lock(image.labels[labels.MODEL_NAME])
    yield _lock(image, lock)
    yield _layers(engine.history(reference), lock)
    yield from _files(engine, reference, lock, listener)
    yield _inside(engine, reference, lock)


def _digest(reference: str, image: ImageInfo) -> Finding:
    named = reference.partition("@")[2]
    known = [each.partition("@")[2] for each in image.repo_digests] or [image.image_id]
    return Finding(good=not named or named in (*known, image.image_id), what=f"digest: {named or known[0]}")


def _labels(image: ImageInfo) -> Finding:
    baked = image.labels.get(labels.MODEL_NAME) != NO_MODEL
    wanted = (*labels.REQUIRED, *(labels.REQUIRED_WITH_A_MODEL if baked else ()))
    missing = [name for name in wanted if not image.labels.get(name)]
    told = f"labels: {', '.join(missing)} missing" if missing else f"labels: all {len(wanted)} are there"
    return Finding(good=not missing, what=told)


def _version(image: ImageInfo) -> Finding:
    """Another version than the checkout's is no fault: it is told."""
    theirs, ours = image.labels.get(labels.VERSION, ""), version()
    beside = "" if theirs == ours else f" (this checkout: {ours})"
    return Finding(good=bool(theirs), what=f"toolkit: {theirs}{beside}, revision {image.labels.get(labels.REVISION)}")


def _lock(image: ImageInfo, lock: Lock) -> Finding:
    theirs = image.labels.get(labels.MODEL_LOCK_SHA256, "")
    if theirs == lock.sha256:
        return Finding(good=True, what=f"lock: {lock.name}, {lock.repository or 'shipped'} at {lock.revision[:12]}")
    return Finding(good=False, what=f"lock: the image was built with {theirs[:12]}…, here is {lock.sha256[:12]}…")


def _layers(history: list[Layer], lock: Lock) -> Finding:
    """Each shard has a layer of its own, the size of the shard and little more."""
    room = 64 * 1024 + max(file.size_bytes for file in lock.weights) // 100
    steps = [step for step in history if "COPY" in step.created_by and ".safetensors" in step.created_by]
    free = sorted(step.size_bytes for step in steps)
    alone = 0
    for file in sorted(lock.weights, key=lambda each: each.size_bytes):
        fitting = next((size for size in free if file.size_bytes <= size <= file.size_bytes + room), None)
        if fitting is not None:
            free.remove(fitting)
            alone += 1
    return Finding(
        good=alone == len(lock.weights), what=f"layers: {alone} of {len(lock.weights)} shards have their own"
    )


def _files(engine: Engine, reference: str, lock: Lock, listener: Listener) -> Iterator[Finding]:
    """Every file against the lock, read out of the image without running anything of it."""
    found = _digests(engine, reference, lock, listener)
    wrong = [file.name for file in lock.files if found.get(file.name) != file.sha256]
    told = "; ".join(f"{name}: {'other bytes' if name in found else 'missing'}" for name in wrong)
    good = f"all {len(lock.files)} as the lock says, read from outside"
    yield Finding(good=not wrong, what=f"files: {told or good}")
    texts = [file.name for file in lock.files if file.name.startswith("LICENSE")]
    where = "its text is there" if texts else "as the project's own"
    yield Finding(good=all(name in found for name in texts), what=f"licence: {lock.licence}, {where}")


def _digests(engine: Engine, reference: str, lock: Lock, listener: Listener) -> dict[str, str]:
    """Name → sha256 of the lock's files in the image."""
    wanted, found, done = {file.name for file in lock.files}, {}, 0
    with (
        engine.archive(reference, f"/root/{lock.folder}") as stream,
        tarfile.open(fileobj=io.BufferedReader(_Readable(stream), BLOCK_BYTES), mode="r|") as archive,
    ):
        for member in archive:
            name = member.name.partition("/")[2]
            content = archive.extractfile(member) if name in wanted else None
            if content is None:
                continue
            digest = hashlib.sha256()
            while block := content.read(BLOCK_BYTES):
                digest.update(block)
                done += len(block)
                listener(Progress(task=f"read {lock.folder}", done=done, total=lock.total_bytes))
            found[name] = digest.hexdigest()
    return found


class _Readable(io.RawIOBase):
    """The engine's chunks as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks
        self.rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: object) -> int:
        if not self.rest:
            self.rest = next(self.chunks, b"")
        view = memoryview(target).cast("B")  # type: ignore[arg-type]
        count = min(len(view), len(self.rest))
        view[:count] = self.rest[:count]
        self.rest = self.rest[count:]
        return count


def _inside(engine: Engine, reference: str, lock: Lock) -> Finding:
    """The image's own `toolkit verify`, with the network off."""
    out, err = io.BytesIO(), io.BytesIO()
    config = ContainerConfig(image=reference, command=("with-client", "toolkit", "verify", f"/root/{lock.folder}"))
    ended = run_container(engine, config, stdout=out, stderr=err)
    told = out.getvalue().decode().strip() or err.getvalue().decode().strip()
    return Finding(good=ended.exit_code == 0, what=f"inside: toolkit verify says {' '.join(told.split())}")
