"""Serves a run: the base model and the tuned one under two names of one OpenAI-compatible address, over one load."""

import importlib.util
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.compare.sides import BASE, Side, find_side, run_side
from toolkit.core.errors import ConfigError, ModelError, first_line
from toolkit.core.events import stop_requests
from toolkit.model.device import Device, find_device
from toolkit.model.four_bits import require_bitsandbytes
from toolkit.runs.layout import ADAPTER_CONFIG, ADAPTER_FILE
from toolkit.runs.run import find_run
from toolkit.serve.job import ServeJob

if TYPE_CHECKING:
    from toolkit.serve.routes import Answerer, Site


AUTO, TRANSFORMERS, VLLM = "auto", "transformers", "vllm"
BACKENDS = (AUTO, TRANSFORMERS, VLLM)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
API_KEY = "TOOLKIT_API_KEY"
PUBLISHED = "TOOLKIT_PUBLISHED"  # host:port at which a container's port is reached from outside


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """`run` None: the latest finished one. `system` None: the run's own. `at_once`: questions under way and waiting.

    `max_new_tokens`: the longest answer, also of who asks for a longer one.
    """

    run: str | None = None
    base_only: bool = False
    model: str | None = None
    system: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    api_key: str | None = None
    backend: str = AUTO
    batch_size: int = 8
    max_concurrent: int = 64
    max_new_tokens: int = 1024
    output: Path = Path("output")


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What answers now, and where. `exposed`: reachable from other machines. `chosen`: the backend and why."""

    address: str
    names: tuple[str, ...]
    system: str
    exposed: bool
    key_needed: bool
    chosen: str


Deploy = Callable[[ServeJob], Any]


def deploy(job: ServeJob) -> Any:
    """The real door; tests hand in their own."""
    from toolkit.serve.ms_swift import deployed

    return deployed(job)


def listen(app: Any, taken: socket.socket, **calls: Any) -> None:
    """The real door; tests hand in their own."""
    from toolkit.serve.server import listen

    listen(app, taken, **calls)


def serve(
    config: ServeConfig, *, ready: Callable[[Serving], None], notify: Callable[[str], None], deploy: Deploy = deploy,
    listen: Callable[..., None] = listen,
) -> None:  # fmt: skip
    """Returns when a signal ended it. Raises ToolkitError, and KeyboardInterrupt for a signal before it was ready."""
    side = _side(config)
    system = _system(config, side)
    device = find_device()
    backend, why = choose_backend(config.backend, device, in_4bit=side.model.in_4bit)
    with stop_requests(notify), _taken_port(config) as taken:
        notify(f"Loading {side.model.title}: {backend} ({why}), {device.precision} ({device.reason})")
        answerer = _loaded(_job(config, side, device, backend), deploy)
        serving = Serving(
            address=_address(config.host, taken.getsockname()[1]), names=answerer.names, system=system,
            exposed=_outer_host(config.host) not in LOOPBACK, key_needed=config.api_key is not None,
            chosen=f"{backend} ({why})",
        )  # fmt: skip
        site = _site(config, answerer, serving, notify)
        was_ready = False

        def told() -> None:
            nonlocal was_ready
            was_ready = True
            ready(serving)

        try:
            listen(site.app(), taken, ready=told, stop=site.stop, end=answerer.end)
        except KeyboardInterrupt:  # the signal that ended it, raised again
            if not was_ready:
                raise


def _site(config: ServeConfig, answerer: "Answerer", serving: Serving, notify: Callable[[str], None]) -> "Site":
    from toolkit.serve.routes import Rules, Site

    rules = Rules(
        system=serving.system, max_new_tokens=config.max_new_tokens,
        max_concurrent=config.max_concurrent, api_key=config.api_key,
        hosts=None if serving.exposed else LOOPBACK,
    )  # fmt: skip
    return Site(answerer=answerer, rules=rules, notify=notify)


def _side(config: ServeConfig) -> Side:
    if config.base_only:
        return find_side(BASE, config.output, beside=None, model=config.model)
    side = run_side(find_run(config.run, config.output), model=config.model)
    if side.name == side.model.name:
        raise ConfigError(f"The run and its base model are both called {side.name}.", next="Rename the model's folder.")
    if side.adapter is not None and not (side.adapter / ADAPTER_FILE).is_file():
        raise ConfigError(f"{side.adapter} has no {ADAPTER_FILE}; pickled weights can run code.", next="Train again.")
    if side.adapter is not None and "=" in str(side.adapter):
        raise ConfigError(f"{side.adapter} has a = in it, which ms-swift reads as NAME=PATH.", next="Move the run.")
    return side


def _system(config: ServeConfig, side: Side) -> str:
    return side.default_system if config.system is None else config.system


def choose_backend(asked: str, device: Device, *, in_4bit: bool = False) -> tuple[str, str]:
    """The backend and its reason; raises ConfigError where it cannot be had."""
    if in_4bit:
        require_bitsandbytes()
        if asked == VLLM:
            raise ConfigError(
                "vLLM does not load this run's base model as it was trained on, in 4 bits.",
                next="Take --backend transformers, or export the run.",
            )
        return TRANSFORMERS, "as asked" if asked != AUTO else "auto: the base model is in 4 bits"
    installed = importlib.util.find_spec("vllm") is not None
    if asked == VLLM and (not installed or device.kind != "cuda"):
        lacking = "vLLM is not installed here" if not installed else "vLLM needs a card, and here is none"
        raise ConfigError(f"{lacking}.", next="Install it beside torch (pip install vllm), or --backend transformers.")
    if asked != AUTO:
        return asked, "as asked"
    if device.kind != "cuda":
        return TRANSFORMERS, "auto: no card"
    return (VLLM, "auto: it is installed") if installed else (TRANSFORMERS, "auto: vLLM is not installed")


def _job(config: ServeConfig, side: Side, device: Device, backend: str) -> ServeJob:
    return ServeJob(
        base=side.model.name, tuned=None if side.adapter is None else side.name, model_folder=side.model.path,
        adapter=side.adapter, lora_rank=lora_rank(side.adapter), precision=device.precision, backend=backend,
        batch_size=config.batch_size, in_4bit=side.model.in_4bit,
    )  # fmt: skip


def lora_rank(adapter: Path | None) -> int:
    """VLLM must know it beforehand; raises ConfigError."""
    if adapter is None:
        return 16
    try:
        return int(json.loads((adapter / ADAPTER_CONFIG).read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{adapter / 'adapter_config.json'} does not tell its rank.", next="Train again.") from error


def _loaded(job: ServeJob, deploy: Deploy) -> "Answerer":
    try:
        answerer: Answerer = deploy(job)
    except Exception as error:
        raise ModelError(
            f"{job.base} cannot be served with {job.backend}: {type(error).__name__}: {first_line(error)}.",
            next="See whether toolkit chat answers; --debug shows all of it.",
        ) from error
    return answerer


@contextmanager
def _taken_port(config: ServeConfig) -> Iterator[socket.socket]:
    from toolkit.serve.server import take_port

    with take_port(config.host, config.port) as taken:
        yield taken


def _outer_host(host: str) -> str:
    """Of a published container's port, the host's address counts."""
    published = os.environ.get(PUBLISHED)
    return published.rpartition(":")[0].strip("[]") if published else host


def _address(host: str, port: int) -> str:
    published = os.environ.get(PUBLISHED)
    where = published or (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    return f"http://{where}"


def read_api_key(file: Path | None) -> str | None:
    """From the file, else from TOOLKIT_API_KEY; never from an argument, which every process list shows.

    Raises ConfigError.
    """
    if file is None:
        key, source = os.environ.get(API_KEY), API_KEY
        if key is None:
            return None
    else:
        source = str(file)
        try:
            key = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"The API key in {file} cannot be read: {error}.", next="Name a text file.") from error
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{source} holds no API key.", next="One line of letters and digits: openssl rand -hex 24.")
    return key
