"""Connects the caller's terminal to a container: forwards keys as they are typed, and the window size."""

import os
import shutil
import signal
import sys
import termios
import threading
import tty
from typing import Any

from image.engine.containers import Resize


def window_size() -> tuple[int, int]:
    """Columns and rows."""
    size = shutil.get_terminal_size()
    return size.columns, size.lines


def attach_terminal(socket: Any, resize: Resize) -> None:
    """Forwards this process's stdin to `socket` from now on. A terminal stays in raw mode until the process ends.

    In raw mode Ctrl-C is a key like any other: it reaches the command in the container, which has its own terminal.
    """
    connection = getattr(socket, "_sock", socket)
    if sys.stdin.isatty() and sys.stdout.isatty():
        _set_raw_until_exit()
        columns, rows = window_size()
        resize(rows, columns)
        signal.signal(signal.SIGWINCH, lambda *_: resize(*reversed(window_size())))
    threading.Thread(target=_forward_stdin, args=(connection,), daemon=True).start()


def _forward_stdin(connection: Any) -> None:
    while chunk := os.read(sys.stdin.fileno(), 4096):
        connection.sendall(chunk)
    connection.shutdown(1)  # SHUT_WR: the command in the container reads end of file


def _set_raw_until_exit() -> None:
    import atexit

    descriptor = sys.stdin.fileno()
    settings = termios.tcgetattr(descriptor)
    atexit.register(termios.tcsetattr, descriptor, termios.TCSADRAIN, settings)
    tty.setraw(descriptor)
