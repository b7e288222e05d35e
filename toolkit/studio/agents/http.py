"""The protocol over HTTP, within the studio: its guard has let the request in. The SDK is loaded by the first one."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from toolkit.studio.desk import Desk

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

LOOK_EVERY_S = 0.2
MOST_SESSIONS = 32
LARGEST_BYTES = 1_000_000


class AgentsOverHttp:
    """An ASGI application. `stopping`: whether the studio ends; open streams of agents end with it."""

    def __init__(self, desk: Desk, stopping: Callable[[], bool]) -> None:
        self.desk, self.stopping = desk, stopping
        self.starting = asyncio.Lock()
        self.manager: StreamableHTTPSessionManager | None = None
        self.living: asyncio.Task[None] | None = None  # kept, else it could be collected

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async with self.starting:
            if self.manager is None:
                await self._start()
        assert self.manager is not None
        await self.manager.handle_request(scope, receive, send)

    async def _start(self) -> None:
        manager, ready = await asyncio.to_thread(self._made), asyncio.Event()

        async def live() -> None:  # in one task: what the manager opens has to be closed in the same one
            async with manager.run():
                ready.set()
                while not self.stopping():  # noqa: ASYNC110  # it is set in a signal handler
                    await asyncio.sleep(LOOK_EVERY_S)

        self.living = asyncio.create_task(live())
        await ready.wait()
        self.manager = manager

    def _made(self) -> "StreamableHTTPSessionManager":
        """A second, in a thread: the SDK builds its types when it is imported."""
        from mcp.server.transport_security import TransportSecuritySettings

        from toolkit.studio.agents.server import make_server

        server = make_server(lambda: self.desk, self.desk.workspace)
        # Host and Origin are the guard's: it knows the names that the user allowed.
        server.streamable_http_app(
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            max_sessions=MOST_SESSIONS, max_request_body_size=LARGEST_BYTES,
        )  # fmt: skip
        return server.session_manager
