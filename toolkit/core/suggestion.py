"""A command that a message suggests, as a shell takes it: pasted as it is printed, it runs."""

import shlex
import shutil
import sys
from pathlib import Path

from toolkit.core import environment

PROGRAM = "toolkit"


def suggestion(*arguments: str | Path) -> str:
    """`toolkit` with these arguments, quoted for a shell; a path that begins with - begins with ./ here."""
    return f"{program()} {' '.join(quoted(_word(argument)) for argument in arguments)}"


def program() -> str:
    """How this program was called: by its name if the PATH leads to it, else as the user wrote it.

    Within a container it is what the host wrote into TOOLKIT_PROGRAM.
    """
    if (outside := environment.program()) is not None:
        return outside
    called = Path(sys.argv[0])
    if called.name == "__main__.py" and called.parent.name == PROGRAM:
        return f"{quoted(sys.orig_argv[0])} -m {PROGRAM}"
    if called.name != PROGRAM or not called.is_file():
        return PROGRAM
    found = shutil.which(PROGRAM)
    return PROGRAM if found is not None and called.samefile(found) else quoted(sys.argv[0])


def quoted(word: str) -> str:
    """The word for a shell. As shlex.quote, but never with the double quotes that messages put around a command."""
    return shlex.quote(word).replace("'\"'\"'", r"'\''")


def _word(argument: str | Path) -> str:
    return f"./{argument}" if isinstance(argument, Path) and str(argument).startswith("-") else str(argument)
