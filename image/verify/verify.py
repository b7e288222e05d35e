"""The use case `verify`: checks an image from outside without running it, then from inside with `toolkit verify`."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from image.core import labels
from image.core.errors import EngineError
from image.core.lock import BLOCK_BYTES, Lock, stream_sha256
from image.core.progress import Listener, Notify, Progress
from image.core.project import NO_MODEL, find_lock, version
from image.engine import ContainerConfig, Engine, ImageInfo, Layer, connect, run_container
from image.verify.attached import Finding, check_attached


def verify(
    reference: str, *, listener: Listener, notify: Notify, policy: Path | None = None
) -> Iterator[Finding]:  # fmt: skip
    """Yields a finding per check. Pulls an image that the engine does not have.

    `policy`: by one of whose keys provenance and bill of materials must be signed.
    Raises EngineError, RegistryError and ConfigError.
    """
    engine = connect()
    image = engine.find_image(reference)
    if image is None:
        engine.pull(reference)
        image = engine.find_image(reference)
        if image is None:
            raise EngineError(f"{reference} was pulled, but the engine does not have it.")
    yield _check_digest(reference, image)
    yield _check_labels(image)
    yield _check_version(image)
    yield from check_attached(engine, image, policy, notify)
    if image.labels.get(labels.MODEL_NAME, NO_MODEL) == NO_MODEL:
        yield Finding(ok=True, what="model: none baked in")
        return
    lock = find_lock(image.labels[labels.MODEL_NAME])
    yield _check_lock(image, lock)
    yield _check_layers(engine.history(reference), lock)
    yield from _check_files(engine, reference, lock, listener)
    yield _check_inside(engine, reference, lock)


def _check_digest(reference: str, image: ImageInfo) -> Finding:
    expected = reference.partition("@")[2]
    digests = [name.partition("@")[2] for name in image.repo_digests] or [image.image_id]
    return Finding(ok=not expected or expected in (*digests, image.image_id), what=f"digest: {expected or digests[0]}")


def _check_labels(image: ImageInfo) -> Finding:
    has_model = image.labels.get(labels.MODEL_NAME) != NO_MODEL
    required = (*labels.REQUIRED, *(labels.REQUIRED_WITH_A_MODEL if has_model else ()))
    missing = [name for name in required if not image.labels.get(name)]
    what = f"labels: {', '.join(missing)} missing" if missing else f"labels: all {len(required)} are set"
    return Finding(ok=not missing, what=what)


def _check_version(image: ImageInfo) -> Finding:
    """A version other than the checkout's is reported, but not a fault."""
    image_version, checkout_version = image.labels.get(labels.VERSION, ""), version()
    note = "" if image_version == checkout_version else f" (this checkout: {checkout_version})"
    revision = image.labels.get(labels.REVISION)
    return Finding(ok=bool(image_version), what=f"toolkit: {image_version}{note}, revision {revision}")


def _check_lock(image: ImageInfo, lock: Lock) -> Finding:
    built_with = image.labels.get(labels.MODEL_LOCK_SHA256, "")
    if built_with == lock.sha256:
        return Finding(ok=True, what=f"lock: {lock.name}, {lock.repository or 'shipped'} at {lock.revision[:12]}")
    return Finding(
        ok=False, what=f"lock: the image was built with {built_with[:12]}…, this checkout has {lock.sha256[:12]}…"
    )


def _check_layers(history: list[Layer], lock: Lock) -> Finding:
    """Each shard must have its own layer, at most slightly larger than the shard."""
    overhead = 64 * 1024 + max(file.size_bytes for file in lock.weights) // 100
    steps = [step for step in history if "COPY" in step.created_by and ".safetensors" in step.created_by]
    sizes = sorted(step.size_bytes for step in steps)
    matched = 0
    for file in sorted(lock.weights, key=lambda shard: shard.size_bytes):
        fitting = next((size for size in sizes if file.size_bytes <= size <= file.size_bytes + overhead), None)
        if fitting is not None:
            sizes.remove(fitting)
            matched += 1
    return Finding(
        ok=matched == len(lock.weights), what=f"layers: {matched} of {len(lock.weights)} shards have their own"
    )


def _check_files(engine: Engine, reference: str, lock: Lock, listener: Listener) -> Iterator[Finding]:
    """Compares every file with the lock, without running anything from the image."""
    found = _read_sha256(engine, reference, lock, listener)
    wrong = [file.name for file in lock.files if found.get(file.name) != file.sha256]
    faults = "; ".join(f"{name}: {'differs' if name in found else 'missing'}" for name in wrong)
    yield Finding(ok=not wrong, what=f"files: {faults or f'all {len(lock.files)} match the lock, read from outside'}")
    texts = [file.name for file in lock.files if file.name.startswith("LICENSE")]
    note = "with its text" if texts else "the project's own"
    yield Finding(ok=all(name in found for name in texts), what=f"licence: {lock.licence}, {note}")


def _read_sha256(engine: Engine, reference: str, lock: Lock, listener: Listener) -> dict[str, str]:
    """Name → sha256 in hexadecimal of the lock's files that are in the image."""
    names, found, done = {file.name for file in lock.files}, {}, 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        listener(Progress(task=f"read {lock.folder}", done=done, total=lock.total_bytes))

    with (
        engine.archive(reference, f"/root/{lock.folder}") as stream,
        tarfile.open(fileobj=io.BufferedReader(_ChunkStream(stream), BLOCK_BYTES), mode="r|") as archive,
    ):
        for member in archive:
            name = member.name.partition("/")[2]
            content = archive.extractfile(member) if name in names else None
            if content is not None:
                found[name] = stream_sha256(content, advance)
    return found


class _ChunkStream(io.RawIOBase):
    """The engine's chunks as a raw stream, for tarfile."""

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


def _check_inside(engine: Engine, reference: str, lock: Lock) -> Finding:
    """Runs the image's own `toolkit verify`, without a network."""
    out, err = io.BytesIO(), io.BytesIO()
    config = ContainerConfig(image=reference, command=("with-client", "toolkit", "verify", f"/root/{lock.folder}"))
    result = run_container(engine, config, stdout=out, stderr=err)
    output = out.getvalue().decode().strip() or err.getvalue().decode().strip()
    return Finding(ok=result.exit_code == 0, what=f"inside: toolkit verify says {' '.join(output.split())}")
