"""Uvicorn on one address, which is taken before anything heavy is loaded and served until a signal comes."""

import asyncio
import errno
import gc
import http.client
import logging
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn

from toolkit.core.errors import ConfigError
from toolkit.serve.connection import ACCEPTED_TOGETHER, LimitedConnection

STOP_WITHIN_S = 10  # answers end at their next token
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # every interface, and how this machine reaches it


def take_port(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet: clients are refused until the models answer. Raises ConfigError."""
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
            f"Port {port} of {host} is taken.", next=f"Name another: --port {port + 1}, or 0 for any free port."
        )
    if error.errno == errno.EACCES:
        return ConfigError(f"You are not allowed to take port {port}.", next="Name one from 1024 up: --port 8000.")
    return ConfigError(
        f"{host} is not an address of this machine: {error.strerror}.", next="--host 127.0.0.1 always is."
    )


class _Server(uvicorn.Server):
    """Calls `ready` when its own /health answers, `stop` as soon as a signal comes, and `end` at the end."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], stop: Callable[[], None], end: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self.ready, self.stop, self.end = ready, stop, end
        self.failure: BaseException | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets
        self.self_check = asyncio.create_task(self._check_myself(*sockets[0].getsockname()[:2]))

    async def _check_myself(self, host: str, port: int) -> None:
        try:
            await asyncio.to_thread(_require_healthy, ANYWHERE.get(host, host), port)
            self.ready()
        except BaseException as error:  # noqa: BLE001  # raised again where the server was started
            self.failure, self.should_exit = error, True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """`end` runs while the event loop still does: the model's thread may have a last word for it."""
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
    end: Callable[[], None] = lambda: None, on_server: Callable[[uvicorn.Server], None] = lambda _: None,
) -> None:  # fmt: skip
    """Serves until SIGINT, SIGTERM or SIGHUP, which are raised again at the end. Raises ConfigError.

    `on_server` gets the server, so that a thread, which receives no signals, can end it.
    """
    host, port = taken.getsockname()[:2]
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # the site reports failures itself
    server = _Server(
        uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False,
            timeout_graceful_shutdown=STOP_WITHIN_S, http=LimitedConnection.of_one_server(), proxy_headers=False,
            backlog=ACCEPTED_TOGETHER,
        ),
        ready, stop, end,
    )  # fmt: skip
    on_server(server)
    # uvicorn knows the other two; under nohup this one is ignored, and stays so.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    gc.collect()
    gc.freeze()  # else each collection visits the libraries' million objects, and every client waits
    try:
        server.run(sockets=[taken])
    except OSError as error:  # two servers may bind; the second one to listen is refused
        raise _refused(host, port, error) from error
    finally:
        gc.unfreeze()
    if server.failure is not None:
        raise server.failure
