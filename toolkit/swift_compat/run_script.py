"""Runs one of ms-swift's scripts in this process, and exits without finalizing the interpreter.

Finalizing may abort right after an answer, while ms-swift's daemon threads are still inside torch.
"""

import atexit
import os
import runpy
import sys
import threading


def run(script: str) -> None:
    """Exits with 0 once the script is done; an error ends the process as usual."""
    runpy.run_path(script, run_name="__main__")
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  # as the interpreter does: waits for non-daemon threads
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    del sys.argv[0]
    run(sys.argv[0])
