"""Progress events, stop requests, and what a use case is given of its caller. Pure: prints nothing."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`done` of `total` units (steps, answers, bytes) of one task; `total` None while it is not known."""

    task: str
    done: int
    total: int | None = None
    unit: str = ""  # "" for plain counts, "bytes" for sizes
    detail: str = ""  # such as "loss 0.42 · 14.7 GiB"


Listener = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """The listener of those who do not want to hear."""


class StopRequests:
    """The first signal during a gentle phase asks to stop; a second, or one at any other time, interrupts."""

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._say = notify
        self.gentle = False
        self.requested = False

    def receive(self, number: int, _: FrameType | None) -> None:
        if self.gentle and not self.requested:
            self.requested = True
            self._say(f"{signal.Signals(number).name}: saving after this step; once more stops at once.")
            return
        raise KeyboardInterrupt


@contextmanager
def stop_requests(notify: Callable[[str], None]) -> Iterator[StopRequests]:
    """Listens to SIGINT and SIGTERM within; call it from the main thread."""
    stop = StopRequests(notify)
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop.receive) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Whom the use case talks to and listens to."""

    stop: StopRequests
    listener: Listener = silent
    notify: Callable[[str], None] = lambda _: None
