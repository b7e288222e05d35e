"""A make command that a message suggests: pasted as it is printed, it runs in the project's folder."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

DEFAULT_OUTPUT = Path("output")


def make_command(target: str, *, output: Path = DEFAULT_OUTPUT, **variables: str) -> str:
    """`make TARGET NAME=value …`, quoted for a shell, without empty values and defaults."""
    chosen = {name: value for name, value in variables.items() if value}
    if output.absolute() != DEFAULT_OUTPUT.absolute():
        chosen["OUTPUT"] = str(output)
    if os.environ.get("RUNTIME") == "local":  # the Makefile exports it
        chosen["RUNTIME"] = "local"
    return joined(["make", target, *(f"{name}={value}" for name, value in chosen.items())])


def joined(words: Sequence[str]) -> str:
    """As shlex.join, but never with the double quotes that messages put around a command."""
    return shlex.join(words).replace("'\"'\"'", r"'\''")
