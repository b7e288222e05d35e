"""Progress events, stop requests, and the caller of a use case. Prints nothing."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`done` of `total` units (steps, answers, bytes) of one task; `total` is None while it is unknown."""

    task: str
    done: int
    total: int | None = None
    unit: str = ""  # "" for plain counts, "bytes" for sizes
    detail: str = ""  # such as "loss 0.42 · 14.7 GiB"


Listener = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """A listener that ignores everything."""


class StopRequests:
    """A first signal while `gentle` is set requests a stop; a second one, or one at any other time, interrupts.

    `gentle` is set while the work can still save itself.
    """

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self.gentle = False
        self.requested = False

    def receive(self, number: int, _: FrameType | None) -> None:
        if self.gentle and not self.requested:
            self.requested = True
            self._notify(f"{signal.Signals(number).name}: saving after this step; a second signal stops at once.")
            return
        raise KeyboardInterrupt


@contextmanager
def stop_requests(notify: Callable[[str], None]) -> Iterator[StopRequests]:
    """Within, SIGINT and SIGTERM go to the yielded requests. Main thread only."""
    stop = StopRequests(notify)
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = [signal.signal(number, stop.receive) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """How a use case talks to its caller: stop requests in, progress and notes out."""

    stop: StopRequests
    listener: Listener = silent
    notify: Callable[[str], None] = lambda _: None
