"""Serves a run: the base model and the tuned one under two names of one OpenAI-compatible address, over one load."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.compare.sides import BASE, Side, find_side, loaded, run_side
from toolkit.core import environment
from toolkit.core.errors import ConfigError, ModelError, ToolkitError, first_line
from toolkit.core.events import stop_requests
from toolkit.model.device import find_device
from toolkit.model.language_model import load_model
from toolkit.runs.layout import ADAPTER_FILE
from toolkit.runs.run import find_run
from toolkit.serve.address import LOOPBACK, address, is_loopback, outer_host, taken_port

if TYPE_CHECKING:
    from toolkit.serve.routes import Answerer, Site

BASE_ALIAS, TUNED_ALIAS = "base", "tuned"  # the same for every run
MAX_NAME = 200


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """`run` None: the latest finished one. `system` None: the run's own. `name`: of the tuned model, or of the base
    model if there is only that; None: the run's id, or the folder's name.

    `batch_size`: questions that are answered together. `max_concurrent`: questions active and waiting.
    `max_new_tokens`: the longest answer, even for a client that asks for a longer one. `origins`: of pages elsewhere
    that may use it.
    """

    run: str | None = None
    base_only: bool = False
    model: str | None = None
    name: str | None = None
    system: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    api_key: str | None = None
    batch_size: int = 8
    max_concurrent: int = 64
    max_new_tokens: int = 1024
    origins: tuple[str, ...] = ()
    output: Path = Path("output")


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What answers now, and where. `exposed`: reachable from other machines."""

    address: str
    names: tuple[str, ...]
    system: str
    exposed: bool
    key_needed: bool


LoadAnswerer = Callable[[Side, int], "Answerer"]


def load_answerer(side: Side, batch_size: int) -> "Answerer":
    """The side's base model and adapter, each of which has answered once; tests pass a loader of their own."""
    from toolkit.serve.answerer import ModelAnswerer

    adapters = {side.key: side.adapter} if side.key and side.adapter else {}
    names = {side.model.name: None, side.name: side.key} if adapters else {side.name: None}
    aliases = {BASE_ALIAS: next(iter(names))} | ({TUNED_ALIAS: side.name} if adapters else {})
    answerer = ModelAnswerer(
        loaded(load_model, side.model, adapters), names, batch_size=batch_size, aliases=aliases
    )  # fmt: skip
    answerer.warm_up()
    return answerer


def listen(app: Any, taken: socket.socket, **calls: Any) -> None:
    """Uvicorn; tests pass a server of their own."""
    from toolkit.serve.server import listen

    listen(app, taken, **calls)


def serve(
    config: ServeConfig, *, ready: Callable[[Serving], None], notify: Callable[[str], None],
    load: LoadAnswerer = load_answerer, listen: Callable[..., None] = listen,
) -> None:  # fmt: skip
    """Returns when a signal ended it. Raises ToolkitError, and KeyboardInterrupt for a signal before it was ready."""
    side, origins = _side(config), _origins(config)
    system = _system(config, side)
    device = find_device()
    with stop_requests(notify), taken_port(config.host, config.port) as taken:
        notify(f"Loading {side.model.title}: {device.precision} ({device.reason})")
        answerer = _loaded(side, config.batch_size, load)
        serving = Serving(
            address=address(config.host, taken.getsockname()[1]), names=answerer.names, system=system,
            exposed=not is_loopback(outer_host(config.host)), key_needed=config.api_key is not None,
        )  # fmt: skip
        site = _site(replace(config, origins=origins), answerer, serving, notify)
        was_ready = False

        def on_ready() -> None:
            nonlocal was_ready
            was_ready = True
            ready(serving)

        try:
            listen(site.app(), taken, ready=on_ready, stop=site.stop, end=answerer.close)
        except KeyboardInterrupt:  # the signal that ended it, raised again
            if not was_ready:
                raise


def _site(config: ServeConfig, answerer: "Answerer", serving: Serving, notify: Callable[[str], None]) -> "Site":
    from toolkit.serve.routes import Site, SiteConfig

    site_config = SiteConfig(
        system=serving.system, max_new_tokens=config.max_new_tokens,
        max_concurrent=config.max_concurrent, api_key=config.api_key,
        hosts=None if serving.exposed else LOOPBACK | {outer_host(config.host)}, origins=config.origins,
    )  # fmt: skip
    return Site(answerer=answerer, config=site_config, notify=notify)


def _origins(config: ServeConfig) -> tuple[str, ...]:
    from toolkit.serve.access import read_origin

    return tuple(dict.fromkeys(map(read_origin, config.origins)))


def _side(config: ServeConfig) -> Side:
    if config.name is not None and not (config.name.isprintable() and 0 < len(config.name.strip()) <= MAX_NAME):
        raise ConfigError(f"{config.name!r} cannot be a name.", next=f"Write 1 to {MAX_NAME} printable characters.")
    if config.base_only:
        side = find_side(BASE, config.output, beside=None, model=config.model)
        return replace(side, name=config.name or side.model.name)
    side = run_side(find_run(config.run, config.output), model=config.model)
    if config.name is not None:
        side = replace(side, name=config.name)
    if side.name == side.model.name:
        raise ConfigError(f"The run and its base model are both called {side.name}.", next="Name the run: --name tuned")
    if side.adapter is not None and not (side.adapter / ADAPTER_FILE).is_file():
        raise ConfigError(f"{side.adapter} has no {ADAPTER_FILE}; pickled weights can run code.", next="Train again.")
    return side


def _system(config: ServeConfig, side: Side) -> str:
    return side.default_system if config.system is None else config.system


def _loaded(side: Side, batch_size: int, load: LoadAnswerer) -> "Answerer":
    try:
        return load(side, batch_size)
    except ToolkitError:
        raise
    except Exception as error:
        raise ModelError(
            f"{side.model.name} does not answer: {type(error).__name__}: {first_line(error)}.",
            next="Run the same command again with --debug, which shows all of it.",
        ) from error


def read_api_key(file: Path | None) -> str | None:
    """From the file, else from TOOLKIT_API_KEY; never from an argument, which every process list shows.

    Raises ConfigError.
    """
    if file is None:
        key, source = environment.api_key(), environment.API_KEY
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
