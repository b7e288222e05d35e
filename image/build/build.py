"""The use case `build`: weights checked against their lock, the Dockerfile built with them, the result loaded."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from image.build import buildx
from image.core.errors import ConfigError, EngineError, Interrupted, WeightsError
from image.core.lock import Lock, wrong_files
from image.core.progress import Listener, Progress, Say
from image.core.project import (
    NO_MODEL,
    ROOT,
    SOURCE_DATE_EPOCH,
    find_lock,
    local_reference,
    model_folder,
    revision,
    source,
    version,
)
from image.engine import Engine, ImageInfo, Layer, connect

Torch = Literal["cuda", "cpu"]
Builder = Callable[[buildx.BuildRequest, Say], str]


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    model: str
    torch: Torch = "cuda"
    base_image: str | None = None  # None: the Dockerfile's own
    wheels: Path | None = None  # a folder of wheels that no package index has
    pip_config: Path | None = None  # the builder's own; mounted during the build, never copied
    ca_bundle: Path | None = None  # likewise
    network: str = "default"  # of the build's steps
    use_cache: bool = True
    reproduce: bool = False


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    reference: str
    digest: str
    layers: tuple[Layer, ...]
    seconds: float
    again: str | None = None  # the second build's digest, with `reproduce`


def build(config: BuildConfig, *, say: Say, listener: Listener, builder: Builder = buildx.build) -> BuildResult:
    """Raises ConfigError, WeightsError (4) and EngineError (9)."""
    engine = connect()
    if not engine.info().containerd_store:
        say("note: this engine's image store changes digests on the way to a registry; the containerd store does not.")
    with _request(config, say, listener) as request:
        began = time.monotonic()
        digest = builder(request, say)
        seconds = time.monotonic() - began
        again = _built_again(request, say, builder) if config.reproduce else None
    return BuildResult(
        reference=request.reference,
        digest=digest,
        layers=tuple(layer for layer in engine.history(request.reference) if layer.size_bytes),
        seconds=seconds,
        again=again,
    )


def _built_again(request: buildx.BuildRequest, say: Say, builder: Builder) -> str:
    """From nothing: the cache is left alone and left unused, in place of the pruning that would cost everybody's."""
    say("once more, without the cache:")
    return builder(replace(request, use_cache=False), say)


@contextmanager
def _request(config: BuildConfig, say: Say, listener: Listener) -> Iterator[buildx.BuildRequest]:
    with tempfile.TemporaryDirectory(prefix="no-model-") as empty:
        lock = None if config.model == NO_MODEL else find_lock(config.model)
        folder = Path(empty) if lock is None else whole_model(lock, say, listener)
        contexts = {"model": folder}
        if config.wheels is not None:
            contexts["wheels"] = config.wheels
        secrets = {"pip_config": config.pip_config, "ca_bundle": config.ca_bundle}
        yield buildx.BuildRequest(
            reference=local_reference(config.model),
            context=ROOT,
            arguments=_arguments(config, lock),
            contexts=contexts,
            secrets={name: path for name, path in secrets.items() if path is not None},
            network=config.network,
            use_cache=config.use_cache,
        )


def _arguments(config: BuildConfig, lock: Lock | None) -> dict[str, str]:
    epoch = SOURCE_DATE_EPOCH if lock is None else lock.source_date_epoch
    base = config.base_image or default_base_image()
    name, _, digest = base.partition("@")
    arguments = {
        "BASE_IMAGE": base,
        "BASE_NAME": name,
        "BASE_DIGEST": digest,
        "SOURCE_DATE_EPOCH": str(epoch),
        "CREATED": datetime.fromtimestamp(epoch, UTC).isoformat().replace("+00:00", "Z"),
        "TORCH": config.torch,
        "VERSION": version(),
        "REVISION": revision(),
        "SOURCE": source(),
        "MODEL": config.model,
    }
    if lock is not None:
        arguments |= {
            "MODEL_FOLDER": lock.folder,
            "MODEL_BYTES": str(lock.total_bytes),
            "MODEL_REPOSITORY": lock.repository,
            "MODEL_REVISION": lock.revision,
            "MODEL_LOCK_SHA256": lock.sha256,
        }
    return arguments


def default_base_image() -> str:
    """The Dockerfile's own, pinned by digest."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ConfigError("The Dockerfile names no BASE_IMAGE.")
    return found[1]


def whole_model(lock: Lock, say: Say, listener: Listener) -> Path:
    """The folder with the base model's files, fetched where absent. Raises WeightsError where they differ."""
    _require_a_layer_a_shard(lock)
    folder = model_folder(lock)
    if not folder.is_dir():
        _download(lock, folder, say)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        listener(Progress(task=f"check {lock.folder}", done=done, total=lock.total_bytes))

    wrong = list(wrong_files(folder, lock, advance))
    if wrong:
        raise WeightsError(
            f"{folder} is not as its lock says: {'; '.join(wrong)}.",
            next=f"Move it away and fetch it afresh: make download MODEL={lock.name}.",
        )
    return folder


def _require_a_layer_a_shard(lock: Lock) -> None:
    lines = len(re.findall(r"^COPY .*model-0\d+-of-", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))
    if len(lock.weights) > lines:
        raise ConfigError(
            f"{lock.name} has {len(lock.weights)} shards, and the Dockerfile has lines for {lines}.",
            next="Add a COPY line for each further shard.",
        )


def _download(lock: Lock, folder: Path, say: Say) -> None:
    """Through the toolkit's own command, which resumes what was cut; it is light enough for the host."""
    arguments = [sys.executable, "-m", "toolkit", "download", lock.name, "--to", str(folder)]
    say("+ toolkit " + " ".join(arguments[3:]))
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    code = subprocess.run(arguments, env=environment, stdout=subprocess.DEVNULL, check=False).returncode
    if code == Interrupted.exit_code:
        raise Interrupted("Interrupted.", next="The download goes on where it stopped.")
    if code != 0:
        raise WeightsError(f"{lock.folder} could not be fetched (see above).", next="Run the same command again.")


def require_image(engine: Engine, reference: str) -> ImageInfo:
    """Raises EngineError where the engine has no such image: nothing is pulled behind the user's back."""
    image = engine.find_image(reference)
    if image is None:
        model = reference.rpartition(":")[2]
        raise EngineError(
            f"The engine has no image {reference}.", next=f"Build it: make build MODEL={model}; or docker pull it."
        )
    return image
