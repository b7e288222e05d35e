"""The server of the protocol, by the official SDK: names, hints and texts of the tools and resources."""

from collections.abc import Callable

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError
from mcp.server.mcpserver.resources import FunctionResource
from mcp.types import ToolAnnotations

from toolkit import __version__
from toolkit.core.errors import ToolkitError
from toolkit.studio.agents.documents import pages, report_text, run_text, runs_text
from toolkit.studio.agents.tools import Tools
from toolkit.studio.desk import Desk
from toolkit.studio.workspace import Workspace

NAME = "finetune-and-prove"
INSTRUCTIONS = """\
Fine-tune a language model on a small data set, and prove what changed: was it learned, and did anything else move?
From a sentence to a verdict: make_data(text), then finetune(data). finetune also compares, and returns the verdict.
A job that outlasts wait_s goes on: progress(job) waits for it. One job runs at a time.
A verdict that failed says why and what to do; ask(question) puts any question to both sides.
Data sets are files of the work folder, a JSON object a line: {"instruction": "…", "output": "…"}; edit them there.
"""
READ = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
WORK = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)


def make_server(desk: Callable[[], Desk], workspace: Workspace) -> MCPServer[None]:
    """`desk` is called when a tool is, `workspace` bounds the resources."""
    server: MCPServer[None] = MCPServer(
        NAME, title="Fine-tune and prove", instructions=INSTRUCTIONS, version=__version__, log_level="ERROR",
        subscriptions=False,
    )  # fmt: skip
    tools = Tools(desk)
    for tool, title, hints in (
        (tools.runs, "Data sets and runs", READ), (tools.make_data, "Data from a sentence", WORK),
        (tools.check, "Check a data set", READ), (tools.finetune, "Fine-tune, and prove it", WORK),
        (tools.progress, "Wait for a job, or stop it", WORK), (tools.compare, "A run's verdict", WORK),
        (tools.ask, "Ask both sides", READ), (tools.export, "Export a run", WORK),
    ):  # fmt: skip
        server.add_tool(tool, title=title, annotations=hints)
    _add_resources(server, workspace)
    return server


def _add_resources(server: MCPServer[None], workspace: Workspace) -> None:
    results = workspace.results

    @server.resource("toolkit://runs", title="All runs with their verdicts", mime_type="application/json")
    def runs() -> str:
        return _read(lambda: runs_text(results))

    @server.resource("toolkit://runs/{run}", title="A run's record and verdict", mime_type="application/json")
    def run_record(run: str) -> str:
        return _read(lambda: run_text(results, run))

    @server.resource("toolkit://runs/{run}/report", title="A run's report", mime_type="text/markdown")
    def run_report(run: str) -> str:
        return _read(lambda: report_text(results, run))

    for page in pages():
        server.add_resource(
            FunctionResource(
                uri=f"toolkit://docs/{page.name}", name=page.name, title=page.title, mime_type="text/markdown",
                fn=page.text,
            )
        )  # fmt: skip


def _read(text: Callable[[], str]) -> str:
    try:
        return text()
    except ToolkitError as error:
        raise ResourceError(str(error)) from None
