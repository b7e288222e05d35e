"""An agent: the SDK's own client, against a server in this process, a child process or a port."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters
from mcp.types import CallToolResult

from tests.fakes.command import DATA, TOOLKIT, bare_environment
from toolkit.studio.agents.answers import without_empty
from toolkit.studio.agents.server import make_server
from toolkit.studio.desk import Desk

ROWS = [{"instruction": f"Question {at}?", "output": f"Answer {at}."} for at in range(4)]


def talk(server: Any, conversation: Callable[[Client], Awaitable[Any]], *, mode: str = "auto") -> Any:
    """What the conversation returns. `server`: whatever the SDK's client takes."""

    async def whole() -> Any:
        async with Client(server, mode=mode) as client:
            try:
                return await conversation(client)
            except MCPError as error:  # raised here it would come out in a group
                return error

    found = asyncio.run(whole())
    if isinstance(found, MCPError):
        raise found
    return found


def call(desk: Desk, tool: str, **arguments: object) -> CallToolResult:
    """One tool, at this desk."""
    return talk(make_server(lambda: desk, desk.workspace), lambda client: client.call_tool(tool, arguments))


def answer(result: CallToolResult) -> dict[str, Any]:
    """The value of a call that went well; a model reads the same, without what is empty."""
    assert not result.is_error, said(result)
    value = result.structured_content
    assert value is not None
    assert json.loads(said(result)) == without_empty(value)
    return value


def said(result: CallToolResult) -> str:
    [content] = result.content
    return content.text


def on_stdio(home: Path, *arguments: object) -> StdioServerParameters:
    """`toolkit mcp` in the folder `home`, with the embedded model."""
    return StdioServerParameters(
        command=str(TOOLKIT), args=["mcp", "--model", "tiny-qwen2", *map(str, arguments)], cwd=home,
        env=bare_environment(home, TOOLKIT_DATA=str(DATA), OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1"),
    )  # fmt: skip
