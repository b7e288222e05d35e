"""The use case `run`: runs a command in the image with the caller's files, uid and terminal; returns its exit code."""

import os
import shutil
import sys
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from image.build.build import require_image
from image.core import labels
from image.core.errors import ConfigError, EngineError, first_line
from image.core.language import CHINESE, VARIABLE, language
from image.core.progress import Notify
from image.core.project import DEFAULT_MODEL, GIB, SMALL_MODEL_BYTES, card_bytes
from image.engine import ContainerConfig, Engine, EngineInfo, ImageInfo, Mount, Port, connect, run_container
from image.engine.containers import AttachStdin, ContainerResult, NoGpuError, remove_abandoned
from image.run.mounts import DATA, HOME, mounts_for
from image.run.terminal import attach_terminal, window_size
from image.run.thin import Weights, arriving, has_no_weights, image_for

API_KEY = "TOOLKIT_API_KEY"
THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    image: str
    command: tuple[str, ...]
    output: Path
    data: Path
    base: str = DEFAULT_MODEL  # the base model's name, for an image without weights
    model: Path | None = None  # a base model's folder on the host, instead of the image's
    gpus: str = "auto"  # auto, none, all, or ids separated by commas
    network: str = "none"
    port: Port | None = None
    memory_bytes: int | None = None
    shm_size_bytes: int = 2 * GIB
    interactive: bool = False
    program: str | None = None  # the command line that led here, up to and with the toolkit's name


def run(config: RunConfig, *, notify: Notify) -> int:
    """Returns the command's exit code. Raises ConfigError (3) and EngineError (9)."""
    engine = connect()
    image = image_for(engine, config.image, config.base) or require_image(engine, config.image)
    weights = Weights.named(config.base) if config.model is None and has_no_weights(image) else None
    remove_abandoned(engine)
    info = engine.info()
    _require_writable(config.output)
    container = _container_config(config, info, image, weights)
    if weights is not None:
        notify(f"image: {image.reference}, with the base model in {weights.folder}")
    with nullcontext() if weights is None else arriving(weights, config.command, notify, first=config.interactive):
        if config.gpus == "auto":
            size = _ModelSize.of(config, image, weights)
            result = _run_on_gpu_or_cpu(engine, container, size, config, info, notify)
        else:
            if config.gpus == "none":
                notify("device: CPU (--gpus none)")
            result = _run(engine, replace(container, gpus=config.gpus), config)
    if result.out_of_memory:
        limit = config.memory_bytes or info.memory_bytes
        raise EngineError(
            f"The command ran out of memory: the container may use {limit / GIB:.1f} GiB.",
            next="Allow more with --memory, or use a smaller model.",
        )
    return result.exit_code


@dataclass(frozen=True, kw_only=True)
class _ModelSize:
    name: str
    size_bytes: int

    @classmethod
    def of(cls, config: RunConfig, image: ImageInfo, weights: Weights | None) -> "_ModelSize":
        if weights is not None:
            return cls(name=weights.lock.folder, size_bytes=sum(file.size_bytes for file in weights.lock.weights))
        if config.model is not None:
            present = sum(path.stat().st_size for path in config.model.glob("*.safetensors"))
            return cls(name=config.model.name, size_bytes=present)
        return cls(
            name=image.labels.get(labels.MODEL_FOLDER, ""), size_bytes=int(image.labels.get(labels.MODEL_BYTES) or 0)
        )


def _run_on_gpu_or_cpu(
    engine: Engine, container: ContainerConfig, model: _ModelSize, config: RunConfig, info: EngineInfo, notify: Notify
) -> ContainerResult:
    """Tries to start with a GPU, since a runtime that it lists may not work. A small model then uses the CPU."""
    try:
        return _run(engine, replace(container, gpus="all"), config)
    except NoGpuError as error:
        why = error.what
    if model.size_bytes > SMALL_MODEL_BYTES:
        raise EngineError(
            f"{model.name} needs a card with {card_bytes(model.size_bytes) / GIB:.0f} GiB; this host has no card, and "
            f"{info.memory_bytes / GIB:.0f} GiB of memory. {why}",
            next="make doctor says what is missing; --gpus none uses the CPU anyway.",
        )
    notify(f"device: CPU ({why.rstrip('.')})")
    return _run(engine, container, config)


def _run(engine: Engine, container: ContainerConfig, config: RunConfig) -> ContainerResult:
    stdin: AttachStdin | None = attach_terminal if config.interactive else None
    return run_container(engine, container, stdin=stdin, stdout=sys.stdout.buffer, stderr=sys.stderr.buffer)


def _container_config(
    config: RunConfig, info: EngineInfo, image: ImageInfo, weights: Weights | None = None
) -> ContainerConfig:
    mounts = mounts_for(config.command[1:], output=config.output, data=config.data)
    environment = {"TOOLKIT_IMAGE": image_digest(image)}
    if config.network == "none":
        environment["HF_HUB_OFFLINE"] = "1"
    if config.program is not None:
        environment["TOOLKIT_PROGRAM"] = config.program
    if config.port is not None:
        environment |= _server_environment(config.port)
    if any(mount.target == DATA for mount in mounts) and (config.data / "probes.yaml").is_file():
        environment["TOOLKIT_DATA"] = DATA
    if config.model is not None:
        target = f"{HOME}/{config.model.name}"
        mounts = (*mounts, Mount(source=str(config.model.resolve()), target=target))
        environment["TOOLKIT_MODEL"] = target
    elif weights is not None:
        mounts = (*mounts, *weights.mounts())
        environment["TOOLKIT_MODEL"] = weights.lock.name
    terminal = config.interactive and sys.stdin.isatty() and sys.stdout.isatty()
    return ContainerConfig(
        image=image.reference,
        command=config.command if config.interactive else ("with-client", *config.command),
        # On a rootless engine, root in the container is the caller, and any other uid is nobody on the host.
        user="0:0" if info.rootless else f"{os.getuid()}:{os.getgid()}",
        environment=environment | _terminal_environment() | _language_environment() | _handed_on(THREADS),
        mounts=mounts,
        # A container without a network has no reachable port.
        network="bridge" if config.port is not None and config.network == "none" else config.network,
        port=config.port,
        shm_size_bytes=config.shm_size_bytes,
        memory_bytes=config.memory_bytes,
        terminal=terminal,
    )


def image_digest(image: ImageInfo) -> str:
    """Its digest in a registry, by which others find it; without one, the engine's own id of it."""
    return min((one.partition("@")[2] for one in image.repo_digests), default=image.image_id)


def _server_environment(port: Port) -> dict[str, str]:
    """Tells a server in the container its address on the host, and the key that clients must send."""
    host = f"[{port.host}]" if ":" in port.host else port.host
    return {"TOOLKIT_PUBLISHED": f"{host}:{port.host_port}"} | _handed_on(API_KEY)


def _handed_on(*names: str) -> dict[str, str]:
    """Of the caller's own environment, what the command in the container is to have too."""
    return {name: os.environ[name] for name in names if name in os.environ}


def _language_environment() -> dict[str, str]:
    """The host's language: a container has a locale of its own."""
    return {VARIABLE: CHINESE} if language() == CHINESE else {}


def _terminal_environment() -> dict[str, str]:
    """Describes the caller's terminal to the command, whose own stdout and stderr are separate pipes."""
    on_terminal = [name for name in ("stdout", "stderr") if getattr(sys, name).isatty()]
    environment = _handed_on("NO_COLOR", "TERM")
    if on_terminal:
        columns, rows = window_size()
        environment |= {"TOOLKIT_TERMINAL": ",".join(on_terminal), "COLUMNS": str(columns), "LINES": str(rows)}
    return environment


def _require_writable(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"Cannot create {output}: {first_line(error)}.", next="Choose another folder with --output."
        ) from error
    if not os.access(output, os.W_OK):
        owner = output.stat().st_uid
        raise ConfigError(
            f"{output} is not writable for uid {os.getuid()}: it belongs to uid {owner}.",
            next=f'Make it yours: sudo chown -R "$(id -u):$(id -g)" {output}.',
        )
    if shutil.disk_usage(output).free < GIB // 10:
        raise ConfigError(
            f"The disk of {output} is full.", next="Free some space, or choose another folder with --output."
        )
