"""Runs one container from creation to removal, with live output, and leaves nothing behind."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, BinaryIO

from image.core.errors import EngineError
from image.engine.connection import Engine, engine_errors

LABEL = "finetune-and-prove.client"
NO_GPU_ERRORS = ("could not select device driver", "nvidia-container-cli", "failed to discover GPU", "unresolvable CDI")
KILL_AT_SIGNAL = 3

Resize = Callable[[int, int], None]  # rows, columns
AttachStdin = Callable[[Any, Resize], None]  # gets the container's socket


@dataclass(frozen=True, kw_only=True)
class Mount:
    source: str  # on the host, absolute
    target: str  # in the container, absolute
    read_only: bool = True


@dataclass(frozen=True, kw_only=True)
class Port:
    """A TCP port of the container, published at an address and port of the host."""

    host: str
    host_port: int
    container_port: int


@dataclass(frozen=True, kw_only=True)
class ContainerConfig:
    image: str
    command: tuple[str, ...]
    user: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    gpus: str = "none"  # "all", "none", or ids separated by commas
    network: str = "none"
    port: Port | None = None
    shm_size_bytes: int = 2 * 1024**3
    memory_bytes: int | None = None
    terminal: bool = False  # allocates a terminal, for interactive commands


@dataclass(frozen=True, kw_only=True)
class ContainerResult:
    exit_code: int
    out_of_memory: bool


class NoGpuError(EngineError):
    """The engine cannot provide a GPU; `what` quotes it."""


def run_container(
    engine: Engine, config: ContainerConfig, *, stdin: AttachStdin | None = None, stdout: BinaryIO, stderr: BinaryIO
) -> ContainerResult:
    """Runs the container until it ends, and forwards signals to it. Raises NoGpuError before it starts, or EngineError.

    The engine removes the container even if this process is killed: stdin then closes, on which the container's first
    process ends (image/bin/with-client).
    """
    api = engine.api
    with engine_errors("creating a container"):
        container = api.create_container(**_create_options(api, config))["Id"]
    started = False
    try:
        with engine_errors("running a container"):
            socket = api.attach_socket(container, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            events = api.events(filters={"container": container}, decode=True)
            exit_watcher = _ExitWatcher(events)
            _start(api, container)
            started = True
            with _forward_signals(api, container):
                if stdin is not None:
                    stdin(socket, lambda rows, columns: api.resize(container, rows, columns))
                _pump(socket, config, stdout, stderr)
                return exit_watcher.wait()
    finally:
        if not started:
            _remove(api, container)


def remove_abandoned(engine: Engine) -> None:
    """Removes our containers that were created but never started because their client was killed in between."""
    with engine_errors("looking for abandoned containers"):
        abandoned = engine.api.containers(all=True, filters={"label": LABEL, "status": "created"})
    for container in abandoned:
        _remove(engine.api, container["Id"])


def _create_options(api: Any, config: ContainerConfig) -> dict[str, Any]:
    from docker.types import DeviceRequest
    from docker.types import Mount as Bind

    port, devices = config.port, []
    bindings = {} if port is None else {port.container_port: (port.host, port.host_port)}
    if config.gpus != "none":
        selection = {"count": -1} if config.gpus == "all" else {"device_ids": config.gpus.split(",")}
        devices = [DeviceRequest(capabilities=[["gpu"]], **selection)]
    host_config = api.create_host_config(
        auto_remove=True,
        init=True,  # reaps zombies and forwards signals; without it a stop takes the whole grace period
        network_mode=config.network,
        port_bindings=bindings,
        shm_size=config.shm_size_bytes,
        mem_limit=config.memory_bytes,
        memswap_limit=config.memory_bytes,
        device_requests=devices,
        mounts=[Bind(mount.target, mount.source, type="bind", read_only=mount.read_only) for mount in config.mounts],
        security_opt=["no-new-privileges"],
    )
    return {
        "image": config.image,
        "command": list(config.command),
        "user": config.user or None,
        "environment": config.environment,
        "labels": {LABEL: ""},
        "ports": list(bindings),
        "stdin_open": True,
        "tty": config.terminal,
        "host_config": host_config,
    }


def _start(api: Any, container: str) -> None:
    from docker.errors import APIError

    try:
        api.start(container)
    except APIError as error:
        reason = str(error.explanation)
        if any(pattern in reason for pattern in NO_GPU_ERRORS):
            # Every engine without NVIDIA's runtime gives the first reason; only the others are worth quoting.
            detail = "" if reason.startswith(NO_GPU_ERRORS[0]) else f" ({reason})"
            raise NoGpuError(f"The engine has no GPU to offer{detail}.") from error
        raise EngineError(f"The container does not start: {reason}.", next=_start_remedy(reason)) from error


def _start_remedy(reason: str) -> str:
    if "already allocated" in reason or "address already in use" in reason:
        return "The port is in use; choose another one: make serve PORT=8001."
    if "no space left" in reason:
        return "Free space in Docker's storage: docker system df, docker system prune."
    if "executable file not found" in reason:
        return "The image is older than this checkout: make build."
    return ""


def _pump(socket: Any, config: ContainerConfig, stdout: BinaryIO, stderr: BinaryIO) -> None:
    from docker.utils.socket import STDERR, frames_iter

    for stream, chunk in frames_iter(socket, config.terminal):
        target = stderr if stream == STDERR else stdout
        target.write(chunk)
        target.flush()


@contextmanager
def _forward_signals(api: Any, container: str) -> Iterator[None]:
    """Forwards SIGINT, SIGTERM and SIGHUP to the container so that it can shut down; the third signal kills it.

    SIGHUP that is ignored, as under nohup, stays so.
    """
    received = 0

    def forward(number: int, _: FrameType | None) -> None:
        nonlocal received
        received += 1
        name = "SIGKILL" if received >= KILL_AT_SIGNAL else signal.Signals(number).name
        # In a thread, since this handler may have interrupted a request of the same connection pool.
        threading.Thread(target=_kill, args=(api, container, name), daemon=True).start()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    previous = {number: signal.signal(number, forward) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _kill(api: Any, container: str, name: str) -> None:
    from docker.errors import APIError

    try:
        api.kill(container, name)
    except APIError:
        return  # it has already ended


def _remove(api: Any, container: str) -> None:
    from docker.errors import APIError, NotFound

    try:
        api.remove_container(container, force=True)
    except NotFound:
        return
    except APIError as error:
        raise EngineError(
            f"A container was left behind: {error.explanation}.", next=f"Remove it: docker rm -f {container[:12]}."
        ) from error


class _ExitWatcher:
    """Learns from the engine's events how a container ended: after its automatic removal it cannot be inspected."""

    def __init__(self, events: Any) -> None:
        self.events = events
        self.exit_code: int | None = None
        self.out_of_memory = False
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        for event in self.events:
            match event.get("Action") or event.get("status"):
                case "oom":
                    self.out_of_memory = True
                case "die":
                    self.exit_code = int(event["Actor"]["Attributes"]["exitCode"])
                case "destroy":
                    return

    def wait(self) -> ContainerResult:
        self.thread.join()
        self.events.close()
        if self.exit_code is None:
            raise EngineError("The engine went away during the run.", next="Check docker info, then run again.")
        return ContainerResult(exit_code=self.exit_code, out_of_memory=self.out_of_memory)
