"""A warm process without libraries: its workers do what their arguments say. Run as a program, it keeps."""

import os
import signal
import sys
import time
from pathlib import Path

from toolkit.core import environment
from toolkit.core.startup import prepare_environment, process_started
from toolkit.serve.warm.identity import identity
from toolkit.serve.warm.keeper import Keeper
from toolkit.serve.warm.messages import socket_path

# A command's process, as `toolkit` is: what it does itself starts with "cold".
CALLER = """
import sys
from toolkit.serve.warm.client import run_warm
code = run_warm(sys.argv[1:])
print("cold") if code is None else sys.exit(code)
"""


def work() -> None:
    """In a worker: sys.argv is `compare WORD`, where WORD names what to do."""
    what = sys.argv[2]
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "online":
        prepare_environment(online=True)
    if what == "say":
        print(Path.cwd(), os.environ.get("SAID"), sys.stdin.read(), sys.argv[3:], os.umask(0o22))
        print("talk", file=sys.stderr)
        sys.exit(21)
    if what == "age":
        print(time.perf_counter() - process_started())
    if what == "wait":
        print(os.getpid(), flush=True)
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            print("interrupted")
            sys.exit(130)
    sys.exit(0)


def main() -> None:
    """`light_keeper.py IDLE_S [fail] [card]`."""
    before = environment.initial()
    keeper = Keeper(
        socket_path(before), identity(before), "none", idle_s=float(sys.argv[1]), on_card="card" in sys.argv, run=work
    )

    def prepare() -> None:
        if "fail" in sys.argv:
            raise RuntimeError("no such weights")

    keeper.keep(prepare, lambda: print("ready", flush=True))


if __name__ == "__main__":
    main()
