"""Ctrl-C and SIGTERM: gentle while a training can save itself, at once everywhere else."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequests:
    """The first signal during a gentle phase asks to stop; a second, or one at any other time, interrupts."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.gentle = False
        self.requested = False

    def receive(self, number: int, _: FrameType | None) -> None:
        if self.gentle and not self.requested:
            self.requested = True
            self._say(f"{signal.Signals(number).name}: saving after this step; once more stops at once.")
            return
        raise KeyboardInterrupt


@contextmanager
def stop_requests(say: Callable[[str], None]) -> Iterator[StopRequests]:
    """Listens to SIGINT and SIGTERM within; call it from the main thread."""
    stop = StopRequests(say)
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop.receive) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
