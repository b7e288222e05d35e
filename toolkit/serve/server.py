"""The door to uvicorn: one address, taken before anything heavy is loaded, and served until a signal comes."""

import asyncio
import errno
import http.client
import logging
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from toolkit.core.errors import ConfigError

STOP_WITHIN_S = 10  # answers end at their next token
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what stands for every address, and how one asks it here


def take_port(host: str, port: int) -> socket.socket:
    """Bound and not listening yet: a client is refused until there is an answer. Raises ConfigError."""
    taken = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else a restart waits for old connections
    try:
        taken.bind((host, port))
    except OSError as error:
        taken.close()
        raise _refused(host, port, error) from error
    return taken


def _refused(host: str, port: int, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"Port {port} of {host} is taken.", next=f"Name another: --port {port + 1}, or 0 for any that is free."
        )
    if error.errno == errno.EACCES:
        return ConfigError(f"Port {port} may not be taken by you.", next="Name one from 1024 up: --port 8000.")
    return ConfigError(f"{host} is no address of this machine: {error.strerror}.", next="--host 127.0.0.1 always is.")


class _Server(uvicorn.Server):
    """Calls `ready` once it answered a question of its own, `stop` as soon as a signal comes, `end` at the end."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], stop: Callable[[], None], end: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self.ready, self.stop, self.end = ready, stop, end
        self.failure: BaseException | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets
        self.asking = asyncio.create_task(self._ask_myself(*sockets[0].getsockname()[:2]))

    async def _ask_myself(self, host: str, port: int) -> None:
        try:
            await asyncio.to_thread(_require_healthy, ANYWHERE.get(host, host), port)
            self.ready()
        except BaseException as error:  # noqa: BLE001  # raised again where the server was started
            self.failure, self.should_exit = error, True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Within the event loop still: what computes for it may have something to tell it."""
        await super().shutdown(sockets)
        await asyncio.to_thread(self.end)

    def handle_exit(self, sig: int, frame: Any) -> None:
        self.stop()
        super().handle_exit(sig, frame)


def _require_healthy(host: str, port: int) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=60)
    connection.request("GET", "/health")
    status = connection.getresponse().status
    connection.close()
    if status != http.client.OK:
        raise ConfigError(f"The server does not answer itself at {host}:{port} (status {status}).")


def listen(
    app: Any, taken: socket.socket, *, ready: Callable[[], None], stop: Callable[[], None],
    end: Callable[[], None] = lambda: None, served: Callable[[uvicorn.Server], None] = lambda _: None,
) -> None:  # fmt: skip
    """Serves until SIGINT or SIGTERM, which are raised again at the end. Raises ConfigError.

    `served` is given the server, for who has no signals to send: threads.
    """
    host, port = taken.getsockname()[:2]
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # the site tells of failures itself
    server = _Server(
        uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False,
            timeout_graceful_shutdown=STOP_WITHIN_S,
        ),
        ready, stop, end,
    )  # fmt: skip
    served(server)
    try:
        server.run(sockets=[taken])
    except OSError as error:  # two servers may bind; the second one to listen is refused
        raise _refused(host, port, error) from error
    if server.failure is not None:
        raise server.failure
