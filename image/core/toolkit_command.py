"""The command line of `toolkit`, which this side never imports, with this interpreter and this checkout.

Its messages go to stderr as they come; its answer, on stdout, is returned.
"""

import os
import subprocess
import sys
from dataclasses import dataclass

from image.core.errors import Interrupted
from image.core.project import ROOT


@dataclass(frozen=True, kw_only=True)
class ToolkitAnswer:
    """`code`: the exit code; `text`: the answer."""

    code: int
    text: str


def toolkit_words(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "toolkit", *arguments]


def toolkit_environment() -> dict[str, str]:
    """As this process has it, with the checkout where Python looks for modules."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def run_toolkit(*arguments: str) -> ToolkitAnswer:
    """Raises Interrupted if the command was."""
    done = subprocess.run(
        toolkit_words(*arguments), env=toolkit_environment(), stdout=subprocess.PIPE, text=True, check=False
    )  # fmt: skip
    if done.returncode == Interrupted.exit_code:
        raise Interrupted("Interrupted.", next="Run it again: what is done already is kept.")
    return ToolkitAnswer(code=done.returncode, text=done.stdout)
