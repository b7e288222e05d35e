"""A work on many parts, in copies of this process: one a core, each of which takes one part after the other."""

import os
import selectors
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from toolkit.core import environment
from toolkit.core.events import Listener, Progress
from toolkit.core.limited_process import limited_process
from toolkit.core.startup import fork_beside
from toolkit.data.containers.forked import DONE, NO_RESULT, RAISED, own_cores, received, send

T = TypeVar("T")
MOST_COPIES = 16  # of a process: more only wait for the one that takes their results


def in_copies(work: Callable[[int], T], parts: int, done: Callable[[T], object] = lambda _: None) -> Iterator[T]:
    """What `work` makes of each number below `parts`, in their order; `done` gets each as soon as it is there.

    A copy has all that this process has now, and what it changes stays there: `work` must not use a card or torch's
    threads. Results come back by pickle, files of Blobs as such. Raises what the first part to fail raised.
    """
    found: dict[int, T] = {}
    shown = 0
    for number, result in _as_done(work, parts, _copies(parts)):
        done(result)
        found[number] = result
        while shown in found:
            yield found.pop(shown)
            shown += 1


def rows_in_copies(
    work: Callable[[slice], T], rows: int, at_once: int, task: str, listener: Listener
) -> Iterator[T]:  # fmt: skip
    """As `in_copies`, of so many rows at once, with an event after each part if there are several."""
    starts, done = range(0, rows, at_once), 0

    def report(_: T) -> None:
        nonlocal done
        done = min(done + at_once, rows)
        if len(starts) > 1:
            listener(Progress(task=task, done=done, total=rows))

    return in_copies(lambda part: work(slice(starts[part], starts[part] + at_once)), len(starts), report)


def _copies(parts: int) -> int:
    """0: this process does it itself.

    Only its first thread is copied: what other threads are about to do, such as a server's, holds locks for ever.
    """
    first = threading.current_thread() is threading.main_thread()
    count = min(own_cores(), parts, MOST_COPIES) if first else 0
    return count if count > 1 else 0


def _as_done(work: Callable[[int], T], parts: int, copies: int) -> Iterator[tuple[int, T]]:
    """Each result beside its number."""
    if not copies:
        yield from ((number, work(number)) for number in range(parts))
        return
    numbers, pids = iter(range(parts)), list[int]()
    with selectors.DefaultSelector() as selector:
        try:
            for _ in range(copies):
                ours, theirs = socket.socketpair()
                selector.register(ours, selectors.EVENT_READ)
                pids.append(fork_beside(partial(_serve, work, theirs)))
                theirs.close()
                _ask(ours, numbers)
            for key in list(selector.get_map().values()):
                _ask(key.fileobj, numbers)  # ahead: it waits there while the first one is done
            for _ in range(parts):
                yield _next(selector, numbers)
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            for key in list(selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]  # a socket


def _ask(channel: Any, numbers: Iterator[int]) -> None:
    with suppress(BrokenPipeError):  # it has ended, which shows where its result is awaited
        for number in islice(numbers, 1):
            send(channel, number)


def _next(selector: selectors.BaseSelector, numbers: Iterator[int]) -> tuple[int, T]:
    """The next result; its copy gets another part."""
    [(key, _), *_] = selector.select()
    channel: socket.socket = key.fileobj  # type: ignore[assignment]
    try:
        message = received(channel)
    except ConnectionError:
        message = None
    if message is None:
        raise NO_RESULT
    kind, content = message
    if kind == RAISED:
        raise content
    _ask(channel, numbers)
    found: tuple[int, T] = content
    return found


def _serve(work: Callable[[int], T], channel: socket.socket) -> None:
    """In a copy."""
    limited_process.cache_clear()  # its child answers the original
    environment.tokenize_on_one_core()  # the threads of the others stayed behind
    while (number := received(channel)) is not None:
        message: tuple[str, Any]
        try:
            message = DONE, (number, work(number))
        except Exception as error:  # noqa: BLE001  # the original raises it
            message = RAISED, error
        send(channel, message)
