"""`toolkit studio`: from a sentence or a file to a verdict, and all runs, on pages of this machine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.events import stop_requests
from toolkit.serve.address import LOOPBACK, address, is_loopback, outer_host, taken_port
from toolkit.serve.serve import listen
from toolkit.studio.desk import Desk, Wording
from toolkit.studio.token_file import kept_token, new_token
from toolkit.studio.workspace import Workspace

SAVED_WITHIN_S = 120.0  # a training ends after its step, and writes a checkpoint


@dataclass(frozen=True, kw_only=True)
class StudioConfig:
    """`folder`: the work folder. `names`: further host names that lead here, such as a proxy's.

    `token_file`: keeps the token for the next studio; None: a new one each time.
    """

    folder: Path
    output: Path = Path("output")
    model: str | None = None
    host: str = "127.0.0.1"
    port: int = 6006
    names: tuple[str, ...] = ()
    token_file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Opened:
    """`address`: with the token; who has it may use the studio. `exposed`: other machines reach it."""

    address: str
    exposed: bool


def studio(
    config: StudioConfig, *, ready: Callable[[Opened], None], notify: Callable[[str], None],
    wording: Wording, listen: Callable[..., None] = listen,
) -> None:  # fmt: skip
    """Returns when a signal ended it; a training that runs then saves and stops, and can be continued.

    Raises ConfigError, and KeyboardInterrupt for a signal before it was ready.
    """
    from toolkit.studio.site import Site

    secret = new_token() if config.token_file is None else kept_token(config.token_file)
    workspace = Workspace(folder=config.folder.absolute(), output=config.output)
    outer = outer_host(config.host)
    was_ready = False
    with workspace.lock(), stop_requests(notify), taken_port(config.host, config.port) as taken:
        port = taken.getsockname()[1]
        desk = Desk.of(workspace, config.model)
        site = Site(
            desk=desk, token=secret, port=port, notify=notify, wording=wording,
            names=LOOPBACK | {outer} | {name.lower() for name in config.names},
        )  # fmt: skip

        def on_ready() -> None:
            nonlocal was_ready
            was_ready = True
            ready(Opened(address=f"{address(config.host, port)}/?token={secret}", exposed=not is_loopback(outer)))

        try:
            listen(site.app(), taken, ready=on_ready, stop=site.stop, end=lambda: _close(desk, notify))
        except KeyboardInterrupt:  # the signal that ended it, raised again
            if not was_ready:
                raise


def _close(desk: Desk, notify: Callable[[str], None]) -> None:
    desk.checks.close()
    desk.asker.close()
    if (job := desk.jobs.running) is not None:
        notify(f"Job {job.number} saves and stops: {job.command}")
        if not desk.jobs.close(SAVED_WITHIN_S):
            notify(f"It still runs (process {job.record.pid}); the next studio shows it.")
