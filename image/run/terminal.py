"""The caller's terminal, handed to a container: keys go in as they are typed, the window's size goes along."""

import os
import shutil
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable
from typing import Any

Resize = Callable[[int, int], None]  # rows, columns


def window() -> tuple[int, int]:
    """Columns and rows."""
    size = shutil.get_terminal_size()
    return size.columns, size.lines


def attached_terminal(socket: Any, resize: Resize) -> None:
    """Feeds this process's stdin to `socket` from now on; a terminal is in raw mode until the process ends.

    In raw mode Ctrl-C is a key like others: it reaches the command inside, which has a terminal of its own.
    """
    wire = getattr(socket, "_sock", socket)
    if sys.stdin.isatty() and sys.stdout.isatty():
        _raw_until_the_end()
        columns, rows = window()
        resize(rows, columns)
        signal.signal(signal.SIGWINCH, lambda *_: resize(*reversed(window())))
    threading.Thread(target=_feed, args=(wire,), daemon=True).start()


def _feed(wire: Any) -> None:
    while piece := os.read(sys.stdin.fileno(), 4096):
        wire.sendall(piece)
    wire.shutdown(1)  # SHUT_WR: the command inside sees the end of its input


def _raw_until_the_end() -> None:
    import atexit

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    atexit.register(termios.tcsetattr, descriptor, termios.TCSADRAIN, before)
    tty.setraw(descriptor)
