"""`toolkit mcp`: agents work at the studio's desk, over stdin and stdout; over HTTP the studio itself has them."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from toolkit.core.errors import ConfigError
from toolkit.core.events import ignores_hangup
from toolkit.studio.desk import Desk
from toolkit.studio.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class McpConfig:
    """`folder`: the work folder, which bounds what an agent reaches."""

    folder: Path
    output: Path = Path("output")
    model: str | None = None


class OwnDesk:
    """The desk of this process, from the first call that needs one: agents' hosts start servers that stay idle."""

    def __init__(self, config: McpConfig) -> None:
        self.workspace = Workspace(folder=config.folder.absolute(), output=config.output)
        self.model = config.model
        self.opening = threading.Lock()
        self.desk: Desk | None = None
        self.locked: TextIOWrapper | None = None

    def __call__(self) -> Desk:
        """Raises ConfigError while a studio, or another agent's server, has the output folder."""
        with self.opening:
            if self.desk is None:
                self.locked = self.workspace.lock()
                self.desk = Desk.of(self.workspace, self.model)
            return self.desk

    def close(self) -> None:
        """Asks a job of this desk to save and stop, without waiting: its host may kill this process at once."""
        if self.desk is None:
            return
        self.desk.checks.close()
        self.desk.asker.close()
        if (job := self.desk.jobs.running) is not None:
            with suppress(ConfigError):
                self.desk.jobs.stop(job.number)


def mcp(config: McpConfig, *, notify: Callable[[str], None]) -> None:
    """Answers on stdout until stdin ends, or a signal comes; a job that runs then saves and stops."""
    from toolkit.studio.agents.server import make_server

    desk = OwnDesk(config)
    server = make_server(desk, desk.workspace)

    def end() -> None:
        desk.close()
        notify("Stopped.")
        os._exit(0)  # else the thread that reads stdin would keep the process until its next line

    for number in (signal.SIGINT, signal.SIGTERM, *(() if ignores_hangup() else (signal.SIGHUP,))):
        signal.signal(number, lambda *_: threading.Thread(target=end).start())
    try:
        server.run("stdio")
    except* BrokenPipeError:  # its host is gone
        pass
    finally:
        desk.close()
