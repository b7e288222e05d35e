"""One container, from its creation to its removal: its output live, its exit code, nothing left behind."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, BinaryIO

from image.core.errors import EngineError
from image.engine.connection import Engine, failures

LABEL = "finetune-and-prove.client"
NO_GPU = ("could not select device driver", "nvidia-container-cli", "failed to discover GPU", "unresolvable CDI")
KILLED_AFTER_SIGNALS = 3


@dataclass(frozen=True, kw_only=True)
class Mount:
    source: str  # on the host, absolute
    target: str  # in the container, absolute
    read_only: bool = True


@dataclass(frozen=True, kw_only=True)
class Port:
    """A TCP port of the container, reached at an address and a port of the host."""

    host: str
    outside: int
    inside: int


@dataclass(frozen=True, kw_only=True)
class ContainerConfig:
    image: str
    command: tuple[str, ...]
    user: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    gpus: str = "none"  # "all", or ids separated by commas, or "none"
    network: str = "none"
    port: Port | None = None
    shm_size_bytes: int = 2 * 1024**3
    memory_bytes: int | None = None
    terminal: bool = False  # a terminal of its own, for what talks with a person


@dataclass(frozen=True, kw_only=True)
class Ended:
    exit_code: int
    out_of_memory: bool


class NoGpuError(EngineError):
    """The engine has no GPU to give; `what` holds its own words."""


def run_container(
    engine: Engine, config: ContainerConfig, *, stdin: "Feed | None" = None, stdout: BinaryIO, stderr: BinaryIO
) -> Ended:
    """Runs to the end and returns how it ended; signals go on to the container. Raises NoGpuError before anything ran.

    The engine removes the container itself, so it goes also where this process is killed: the container's stdin is
    held open from here, and its first process ends when it closes (image/bin/with-client).
    """
    api = engine.api
    with failures("creating a container"):
        container = api.create_container(**_creation(api, config))["Id"]
    started = False
    try:
        with failures("running a container"):
            socket = api.attach_socket(container, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            events = api.events(filters={"container": container}, decode=True)
            end = _End(events)
            _start(api, container)
            started = True
            with _forwarded_signals(api, container):
                if stdin is not None:
                    stdin(socket, lambda rows, columns: api.resize(container, rows, columns))
                _pump(socket, config, stdout, stderr)
                return end.wait()
    finally:
        if not started:
            _remove(api, container)


Feed = Callable[[Any, Callable[[int, int], None]], None]


def remove_abandoned(engine: Engine) -> None:
    """Containers of ours that were created and never started: their client was killed in between."""
    with failures("looking for containers left behind"):
        found = engine.api.containers(all=True, filters={"label": LABEL, "status": "created"})
    for each in found:
        _remove(engine.api, each["Id"])


def _creation(api: Any, config: ContainerConfig) -> dict[str, Any]:
    from docker.types import DeviceRequest
    from docker.types import Mount as Bind

    devices = []
    if config.gpus != "none":
        named = {"count": -1} if config.gpus == "all" else {"device_ids": config.gpus.split(",")}
        devices = [DeviceRequest(capabilities=[["gpu"]], **named)]
    host = api.create_host_config(
        auto_remove=True,
        init=True,  # reaps, and hands signals on; without it a stop takes the whole grace period
        network_mode=config.network,
        port_bindings={} if config.port is None else {config.port.inside: (config.port.host, config.port.outside)},
        shm_size=config.shm_size_bytes,
        mem_limit=config.memory_bytes,
        memswap_limit=config.memory_bytes,
        device_requests=devices,
        mounts=[Bind(each.target, each.source, type="bind", read_only=each.read_only) for each in config.mounts],
        security_opt=["no-new-privileges"],
    )
    return {
        "image": config.image,
        "command": list(config.command),
        "user": config.user or None,
        "environment": config.environment,
        "labels": {LABEL: ""},
        "ports": [] if config.port is None else [config.port.inside],
        "stdin_open": True,
        "tty": config.terminal,
        "host_config": host,
    }


def _start(api: Any, container: str) -> None:
    from docker.errors import APIError

    try:
        api.start(container)
    except APIError as error:
        told = str(error.explanation)
        if any(words in told for words in NO_GPU):
            # The first is what every engine without NVIDIA's runtime says; others tell something.
            words = "" if told.startswith(NO_GPU[0]) else f" ({told})"
            raise NoGpuError(f"The engine has no GPU to give{words}.") from error
        raise EngineError(f"The container does not start: {told}.", next=_start_remedy(told)) from error


def _start_remedy(told: str) -> str:
    if "already allocated" in told or "address already in use" in told:
        return "Something listens there already; name another port: make serve PORT=8001."
    if "no space left" in told:
        return "Make room where Docker stores: docker system df, docker system prune."
    if "executable file not found" in told:
        return "The image is older than this checkout: make build."
    return ""


def _pump(socket: Any, config: ContainerConfig, stdout: BinaryIO, stderr: BinaryIO) -> None:
    from docker.utils.socket import STDERR, frames_iter

    for stream, piece in frames_iter(socket, config.terminal):
        target = stderr if stream == STDERR else stdout
        target.write(piece)
        target.flush()


@contextmanager
def _forwarded_signals(api: Any, container: str) -> Iterator[None]:
    """SIGINT and SIGTERM go to the container, which ends in its own order; the third one kills it."""
    heard = 0

    def forward(number: int, _: FrameType | None) -> None:
        nonlocal heard
        heard += 1
        sent = "SIGKILL" if heard >= KILLED_AFTER_SIGNALS else signal.Signals(number).name
        # Not here: this may have interrupted a request of the same connection pool.
        threading.Thread(target=_kill, args=(api, container, sent), daemon=True).start()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, forward) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _kill(api: Any, container: str, name: str) -> None:
    from docker.errors import APIError

    try:
        api.kill(container, name)
    except APIError:
        return  # it has ended in the meantime


def _remove(api: Any, container: str) -> None:
    from docker.errors import APIError, NotFound

    try:
        api.remove_container(container, force=True)
    except NotFound:
        return
    except APIError as error:
        raise EngineError(
            f"A container is left behind: {error.explanation}.", next=f"docker rm -f {container[:12]}"
        ) from error


class _End:
    """How a container ended, heard from the engine's events: after an automatic removal nothing else can tell."""

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

    def wait(self) -> Ended:
        self.thread.join()
        self.events.close()
        if self.exit_code is None:
            raise EngineError("The engine went away in the middle of the run.", next="See docker info, then run again.")
        return Ended(exit_code=self.exit_code, out_of_memory=self.out_of_memory)
