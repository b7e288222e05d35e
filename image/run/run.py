"""The use case `run`: a command in the image, with the caller's files, uid and terminal; its exit code is ours."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from image.build.build import require_image
from image.core import labels
from image.core.errors import ConfigError, EngineError
from image.core.progress import Say
from image.core.project import GIB, SMALL_MODEL_BYTES, card_bytes
from image.engine import ContainerConfig, Engine, EngineInfo, ImageInfo, Mount, Port, connect, run_container
from image.engine.containers import Ended, NoGpuError, remove_abandoned
from image.run.mounts import DATA, HOME, mounts_for
from image.run.terminal import attached_terminal, window

API_KEY = "TOOLKIT_API_KEY"


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    image: str
    command: tuple[str, ...]
    output: Path
    data: Path
    model: Path | None = None  # a base model's folder on the host, in place of the image's own
    gpus: str = "auto"  # auto, none, all, or ids separated by commas
    network: str = "none"
    port: Port | None = None
    memory_bytes: int | None = None
    shm_size_bytes: int = 2 * GIB
    interactive: bool = False


def run(config: RunConfig, *, say: Say) -> int:
    """The command's exit code. Raises ConfigError (3) and EngineError (9)."""
    engine = connect()
    image = require_image(engine, config.image)
    remove_abandoned(engine)
    info = engine.info()
    _require_writable(config.output)
    container = _container(config, info)
    if config.gpus == "auto":
        ended = _with_or_without_gpu(engine, container, _ModelSize.of(config, image), config, info, say)
    else:
        if config.gpus == "none":
            say("device: CPU (told so)")
        ended = _run(engine, replace(container, gpus=config.gpus), config)
    if ended.out_of_memory:
        limit = config.memory_bytes or info.memory_bytes
        raise EngineError(
            f"The command ran out of memory: the container may use {limit / GIB:.1f} GiB.",
            next="Give it more (--memory), or take a smaller model.",
        )
    return ended.exit_code


@dataclass(frozen=True, kw_only=True)
class _ModelSize:
    name: str
    size_bytes: int

    @classmethod
    def of(cls, config: RunConfig, image: ImageInfo) -> "_ModelSize":
        if config.model is not None:
            weights = sum(path.stat().st_size for path in config.model.glob("*.safetensors"))
            return cls(name=config.model.name, size_bytes=weights)
        return cls(
            name=image.labels.get(labels.MODEL_FOLDER, ""), size_bytes=int(image.labels.get(labels.MODEL_BYTES) or 0)
        )


def _with_or_without_gpu(
    engine: Engine, container: ContainerConfig, model: _ModelSize, config: RunConfig, info: EngineInfo, say: Say
) -> Ended:
    """The engine is asked for a GPU, and its answer decides: a runtime that it lists may not work."""
    try:
        return _run(engine, replace(container, gpus="all"), config)
    except NoGpuError as error:
        why = error.what
    if model.size_bytes > SMALL_MODEL_BYTES:
        raise EngineError(
            f"{model.name} needs a card of {card_bytes(model.size_bytes) / GIB:.0f} GiB; here is no card, and "
            f"{info.memory_bytes / GIB:.0f} GiB of memory. {why}",
            next="make doctor says what is missing; --gpus none tries the CPU all the same.",
        )
    say(f"device: CPU ({why.rstrip('.')})")
    return _run(engine, container, config)


def _run(engine: Engine, container: ContainerConfig, config: RunConfig) -> Ended:
    stdin: Callable[..., Any] | None = attached_terminal if config.interactive else None
    return run_container(engine, container, stdin=stdin, stdout=sys.stdout.buffer, stderr=sys.stderr.buffer)


def _container(config: RunConfig, info: EngineInfo) -> ContainerConfig:
    mounts = mounts_for(config.command[1:], output=config.output, data=config.data)
    environment = {"HF_HUB_OFFLINE": "1"} if config.network == "none" else {}
    if config.port is not None:
        environment |= _published(config.port)
    if any(mount.target == DATA for mount in mounts) and (config.data / "probes.yaml").is_file():
        environment["TOOLKIT_DATA"] = DATA
    if config.model is not None:
        target = f"{HOME}/{config.model.name}"
        mounts = (*mounts, Mount(source=str(config.model.resolve()), target=target))
        environment["TOOLKIT_MODEL"] = target
    terminal = config.interactive and sys.stdin.isatty() and sys.stdout.isatty()
    return ContainerConfig(
        image=config.image,
        command=config.command if config.interactive else ("with-client", *config.command),
        # A rootless engine's root is the caller; any other uid would be nobody's.
        user="0:0" if info.rootless else f"{os.getuid()}:{os.getgid()}",
        environment=environment | _terminal(),
        mounts=mounts,
        # A container without a network has no port that could be reached.
        network="bridge" if config.port is not None and config.network == "none" else config.network,
        port=config.port,
        shm_size_bytes=config.shm_size_bytes,
        memory_bytes=config.memory_bytes,
        terminal=terminal,
    )


def _published(port: Port) -> dict[str, str]:
    """What a server inside needs to know of out here: where clients reach it, and the key that they must send."""
    host = f"[{port.host}]" if ":" in port.host else port.host
    key = {API_KEY: os.environ[API_KEY]} if API_KEY in os.environ else {}
    return {"TOOLKIT_PUBLISHED": f"{host}:{port.outside}"} | key


def _terminal() -> dict[str, str]:
    """What the command needs to know to draw for the terminal out here: its own streams are pipes, kept apart."""
    shown = [name for name in ("stdout", "stderr") if getattr(sys, name).isatty()]
    told = {name: os.environ[name] for name in ("NO_COLOR", "TERM") if name in os.environ}
    if shown:
        columns, rows = window()
        told |= {"TOOLKIT_TERMINAL": ",".join(shown), "COLUMNS": str(columns), "LINES": str(rows)}
    return told


def _require_writable(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{output} cannot be made: {error.strerror}.", next="Name another with --output.") from error
    if not os.access(output, os.W_OK):
        owner = output.stat().st_uid
        raise ConfigError(
            f"{output} cannot be written to by uid {os.getuid()}: it belongs to uid {owner}.",
            next=f'Take it over: sudo chown -R "$(id -u):$(id -g)" {output}.',
        )
    if shutil.disk_usage(output).free < GIB // 10:
        raise ConfigError(f"The disk of {output} is full.", next="Make room, or name another folder with --output.")
