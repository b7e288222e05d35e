"""`toolkit mcp`: stdin and stdout are the protocol's."""

from pathlib import Path

import click

from toolkit.cli.console import notify
from toolkit.cli.options import MODEL, OUTPUT
from toolkit.studio.agents.mcp import McpConfig, mcp

EXAMPLES = """\b
Examples:
  $ claude mcp add toolkit -- toolkit mcp --model tiny-qwen2
  $ npx @modelcontextprotocol/inspector toolkit mcp
"""


@click.command(epilog=EXAMPLES)
@MODEL
@OUTPUT
def command(model: str | None, output: Path) -> None:
    """Let an agent do it: a Model Context Protocol server.

    An agent's host starts it in the work folder, and speaks the protocol over stdin and stdout. Its tools check data,
    write data from a sentence, fine-tune, compare, ask both sides and export; its resources are runs, reports and
    docs. It reaches nothing outside the work folder and the output folder. Over HTTP, toolkit studio has the same
    tools at /mcp, behind its token. It ends with its stdin; a training then saves, and can be continued.
    """
    mcp(McpConfig(folder=Path.cwd(), output=output, model=model), notify=notify)
