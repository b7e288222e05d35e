"""One of several processes, and what it says to the one that started it.

    python -m toolkit.model.cards.worker MODULE:FUNCTION DESCRIPTOR ARGUMENT...

It calls the function with its `Starter`, to which DESCRIPTOR leads, and the arguments. What it says is a pair: one of
the kinds below, or of the function's own, and the content.
"""

import os
import pickle
import sys
from multiprocessing.connection import Connection
from multiprocessing.pool import ExceptionWithTraceback  # type: ignore[attr-defined]  # typeshed leaves it out
from pkgutil import resolve_name
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from toolkit.core.environment import let_waiting_threads_sleep
from toolkit.core.events import Progress
from toolkit.core.startup import relax_gc

PROGRESS, DONE, FAILED = "progress", "done", "failed"
STOP = "stop"  # said to a process


class Starter:
    """The process that started this one. When it is gone, this process ends too, whatever it does."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection, self._messages, self._stop = connection, SimpleQueue[Any](), Event()
        Thread(target=self._listen, daemon=True).start()

    def message(self) -> Any:
        """The next one, once it is there."""
        return self._messages.get()

    def stop_requested(self) -> bool:
        return self._stop.is_set()

    def say(self, kind: str, content: object = None) -> None:
        self._connection.send((kind, content))

    def hear_of(self, event: Progress) -> None:
        """A listener of events."""
        self.say(PROGRESS, event)

    def _listen(self) -> None:
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                os._exit(1)
            if message == STOP:
                self._stop.set()
            else:
                self._messages.put(message)


def portable(error: BaseException) -> Any:
    """The error with its traceback, as another process can raise it."""
    try:
        found = ExceptionWithTraceback(error, error.__traceback__)
        pickle.loads(pickle.dumps(found))  # noqa: S301  # our own bytes
    except Exception:  # noqa: BLE001  # pickling runs whatever the error's class defines
        return ExceptionWithTraceback(RuntimeError(f"{type(error).__name__}: {error}"), error.__traceback__)
    return found


def main(work: str, descriptor: str, *arguments: str) -> None:
    let_waiting_threads_sleep()
    relax_gc()
    starter = Starter(Connection(int(descriptor)))
    try:
        resolve_name(work)(starter, *arguments)
    except BaseException as error:  # noqa: BLE001  # the starter raises it
        starter.say(FAILED, portable(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # else what is left of torch's process groups waits for the others, or aborts without them
