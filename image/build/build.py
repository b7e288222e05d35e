"""The use case `build`: checks the weights against their lock, builds the Dockerfile, loads the image."""

import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from image.build import buildx
from image.build.packages import changes, packages
from image.core.errors import ConfigError, EngineError, Interrupted, WeightsError
from image.core.lock import Lock, wrong_files
from image.core.progress import Listener, Notify, Progress
from image.core.project import (
    DEFAULT_MODEL,
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
from image.core.suggestion import make_command
from image.core.toolkit_command import toolkit_environment, toolkit_words
from image.engine import Engine, ImageInfo, Layer, connect

Torch = Literal["cuda", "cpu"]
Builder = Callable[[buildx.BuildRequest, Notify], str]


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    model: str
    torch: Torch = "cuda"
    base_image: str | None = None  # None: the one that the Dockerfile pins
    wheels: Path | None = None  # a folder of wheels that the package index lacks
    pip_config: Path | None = None  # mounted during the build, never copied into a layer
    ca_bundle: Path | None = None  # mounted during the build, never copied into a layer
    network: str = "default"  # of the RUN steps: default or host
    use_cache: bool = True
    reproduce: bool = False


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    reference: str
    digest: str
    layers: tuple[Layer, ...]
    seconds: float
    rebuilt_digest: str | None = None  # of the second build, with `reproduce`


def build(config: BuildConfig, *, notify: Notify, listener: Listener, builder: Builder = buildx.build) -> BuildResult:
    """Raises ConfigError, WeightsError (4) and EngineError (9)."""
    engine = connect()
    if not engine.info().containerd_store:
        notify(
            "note: with this engine's image store a pushed image gets another digest; the containerd store keeps it."
        )
    with _build_request(config, notify, listener) as request:
        before = packages(engine, request.reference) if engine.find_image(request.reference) else ()
        start = time.monotonic()
        digest = builder(request, notify)
        seconds = time.monotonic() - start
        rebuilt_digest = _rebuild(request, notify, builder) if config.reproduce else None
    if before and (differ := changes(before, packages(engine, request.reference))):
        notify(f"note: Debian packages that differ from the image before: {differ}")
    return BuildResult(
        reference=request.reference,
        digest=digest,
        layers=tuple(layer for layer in engine.history(request.reference) if layer.size_bytes),
        seconds=seconds,
        rebuilt_digest=rebuilt_digest,
    )


def _rebuild(request: buildx.BuildRequest, notify: Notify, builder: Builder) -> str:
    """Builds from scratch. The cache is bypassed and not pruned: other builds on this host use it."""
    notify("building again without the cache:")
    return builder(replace(request, use_cache=False), notify)


@contextmanager
def _build_request(config: BuildConfig, notify: Notify, listener: Listener) -> Iterator[buildx.BuildRequest]:
    with tempfile.TemporaryDirectory(prefix="no-model-") as empty:
        lock = None if config.model == NO_MODEL else find_lock(config.model)
        folder = Path(empty) if lock is None else prepare_model(lock, notify, listener)
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
    if lock is None:
        # Where the host's models are mounted; the toolkit looks for this one in it.
        arguments |= {"MODEL_FOLDER": "models", "DEFAULT_MODEL": DEFAULT_MODEL}
    else:
        arguments |= {
            "DEFAULT_MODEL": f"/root/{lock.folder}",
            "MODEL_FOLDER": lock.folder,
            "MODEL_BYTES": str(lock.total_bytes),
            "MODEL_REPOSITORY": lock.repository,
            "MODEL_REVISION": lock.revision,
            "MODEL_LOCK_SHA256": lock.sha256,
        }
    return arguments


def default_base_image() -> str:
    """The base image that the Dockerfile pins by digest. Raises ConfigError."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ConfigError("The Dockerfile has no BASE_IMAGE.")
    return found[1]


def prepare_model(lock: Lock, notify: Notify, listener: Listener) -> Path:
    """The folder with the base model's files, downloaded if it is missing, and checked against the lock.

    Raises WeightsError if the download fails or a file differs, and ConfigError if the model has too many shards.
    """
    _require_layer_per_shard(lock)
    folder = model_folder(lock)
    if not folder.is_dir():
        _download(lock, folder, notify)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        listener(Progress(task=f"check {lock.folder}", done=done, total=lock.total_bytes))

    wrong = list(wrong_files(folder, lock, advance))
    if wrong:
        raise WeightsError(
            f"{folder} does not match its lock: {'; '.join(wrong)}.",
            next=f'Move it away and download it again with "{make_command("download", MODEL=lock.name)}".',
        )
    return folder


def _require_layer_per_shard(lock: Lock) -> None:
    lines = len(re.findall(r"^COPY .*model-0\d+-of-", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))
    if len(lock.weights) > lines:
        raise ConfigError(
            f"{lock.name} has {len(lock.weights)} shards, but the Dockerfile has COPY lines for {lines}.",
            next="Add one line for each further shard.",
        )


def _download(lock: Lock, folder: Path, notify: Notify) -> None:
    code = start_download(lock, folder, notify).wait()
    if code != 0:
        raise download_failure(code, lock)


def start_download(lock: Lock, folder: Path, notify: Notify) -> "subprocess.Popen[bytes]":
    """Starts `toolkit download`, which resumes partial downloads and needs no model library."""
    arguments = ("download", lock.name, "--to", str(folder))
    notify("+ toolkit " + " ".join(arguments))
    return subprocess.Popen(
        toolkit_words(*arguments), env=toolkit_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )  # fmt: skip


def download_failure(code: int, lock: Lock) -> Interrupted | WeightsError:
    """The error for that command's exit code."""
    if code == Interrupted.exit_code:
        return Interrupted("Interrupted.", next="The next download resumes where this one stopped.")
    return WeightsError(f"Could not download {lock.folder} (see above).", next="Run the same command again.")


def require_image(engine: Engine, reference: str) -> ImageInfo:
    """Raises EngineError if the engine does not have the image. Never pulls it: that is the user's decision."""
    image = engine.find_image(reference)
    if image is None:
        model = reference.rpartition(":")[2]
        raise EngineError(
            f"The engine has no image {reference}.",
            next=f'Build it with "{make_command("build", MODEL=model)}", or docker pull it.',
        )
    return image
