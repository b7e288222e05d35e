"""Runs one of ms-swift's scripts in this process, and ends it once its work is done.

The interpreter's own end may abort straight after an answer: ms-swift's daemon threads are then still inside torch.
"""

import atexit
import os
import runpy
import sys
import threading


def run(script: str) -> None:
    """What fails ends as ever: its exit code is not 0 anyway."""
    runpy.run_path(script, run_name="__main__")
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  # as the interpreter: no thread's work is lost
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    del sys.argv[0]
    run(sys.argv[0])
