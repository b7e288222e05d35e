"""Results on stdout, messages and progress on stderr: bars on a terminal, plain lines elsewhere.

Every line may quote others (a registry, an image's labels, a run's record), so each is made printable first.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from image.core.progress import Listener, Progress
from image.core.text import printable

PLAIN_LINE_EVERY_S = 5.0


def show(line: str) -> None:
    """Prints one line of a result to stdout."""
    print(printable(line))


def notify(message: str) -> None:
    """Prints one line to stderr; stdout is for results."""
    print(printable(message), file=sys.stderr, flush=True)


@contextmanager
def progress() -> Iterator[Listener]:
    """Yields a listener for `Progress`. A new task starts a new bar."""
    if not sys.stderr.isatty():
        yield _plain_lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}", markup=False), BarColumn(None), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def listener(event: Progress) -> None:
            if event.task not in tasks:
                tasks[event.task] = bars.add_task(printable(event.task), total=event.total)
            bars.update(tasks[event.task], completed=event.done, total=event.total)

        yield listener


def _plain_lines() -> Listener:
    last: dict[str, float] = {}

    def listener(event: Progress) -> None:
        now = time.monotonic()
        if event.part or now - last.get(event.task, -PLAIN_LINE_EVERY_S) < PLAIN_LINE_EVERY_S:
            return
        last[event.task] = now
        total = "" if event.total is None else f"/{event.total / 1e6:.1f}"
        notify(f"{event.task} {event.done / 1e6:.1f}{total} MB")

    return listener
