"""Runs one of ms-swift's scripts in this process, and lets its last answer's thread end before the interpreter does.

Without that, an `exit` straight after an answer may abort: the thread that generates is a daemon, still in torch.
"""

import atexit
import runpy
import sys
import threading

GENERATES = "(_model_generate)"  # how Python names a thread after its function
PATIENCE_S = 10.0


def wait_for_generation() -> None:
    for thread in threading.enumerate():
        if GENERATES in thread.name:
            thread.join(PATIENCE_S)


if __name__ == "__main__":
    del sys.argv[0]
    atexit.register(wait_for_generation)
    runpy.run_path(sys.argv[0], run_name="__main__")
