"""Progress and messages on stderr: bars on a terminal, plain lines elsewhere, or a file for another process."""

import json
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import click

from toolkit.core import environment
from toolkit.core.events import Listener, Progress, writing_to
from toolkit.core.text import UNPRINTABLE, printable

if TYPE_CHECKING:
    from rich.console import Console


DEFAULT_WIDTH = 80
PLAIN_LINE_EVERY_S = 5.0
BAR_WIDTH = 28  # with loss and memory beside it under 80 columns, with room for the ^C that a terminal echoes


def is_terminal(stream: Literal["stdout", "stderr"]) -> bool:
    """Whether a person sees the stream; TOOLKIT_TERMINAL names a container's streams that a terminal outside shows."""
    return getattr(sys, stream).isatty() or stream in environment.terminal_streams()


def answers(width: int = DEFAULT_WIDTH) -> "Console":
    """The console for a command's answer on stdout, `width` columns wide if it is not a terminal."""
    console = _console_type()
    if not is_terminal("stdout"):
        return console(width=width, highlight=False)
    size = shutil.get_terminal_size((width, 24))  # where TERM=dumb, rich assumes 80 columns and does not read COLUMNS
    return console(width=size.columns, height=size.lines, force_terminal=True, highlight=False)


@cache
def _console_type() -> "type[Console]":
    from rich.console import Console
    from rich.text import Text

    class PrintableConsole(Console):
        """Shows control characters of others' text as their escapes, wherever rich gets a text from."""

        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(printable(text), **options)

    return PrintableConsole


def show(text: object, *, end: str = "\n") -> None:
    """Prints the answer, or a part of it, on stdout; others' control characters as their escapes."""
    click.echo(printable(str(text)) + end, nl=False)


def show_json(value: object) -> None:
    """Prints an indented JSON document on stdout, readable, and without a raw control character."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    click.echo(UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text))


def show_either(found: Mapping[str, Any], lines: Iterable[str], *, as_json: bool) -> None:
    """Prints what was found as one JSON document, or as lines."""
    if as_json:
        show_json(found)
    else:
        for line in lines:
            tell(line)


def tell(line: str) -> None:
    """Prints a line that is for people on stdout, in the user's language."""
    show(_in_language(line))


def notify(message: str) -> None:
    """Prints a message on stderr, in the user's language; stdout is for the answer."""
    print(
        printable(_in_language(message)), file=sys.stderr, flush=True
    )  # click.echo would write underneath rich's live bars


def _in_language(text: str) -> str:
    if environment.language() != "zh":
        return text
    from toolkit.cli.console.chinese import translated

    return translated(text)


@contextmanager
def progress() -> Iterator[Listener]:
    """Yields a listener for `Progress`; each new task gets a bar of its own.

    A process that started this one may ask for the events in a file instead.
    """
    if (file := environment.progress_file()) is not None:
        yield writing_to(file)
    elif is_terminal("stderr"):
        with _bars() as listener:
            yield listener
    else:
        yield _plain_lines()


@contextmanager
def _bars() -> Iterator[Listener]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import (
        Progress as Bars,
    )

    console = Console(stderr=True, force_terminal=True)  # rich still respects NO_COLOR
    sized = Bars(TextColumn("{task.description}"), BarColumn(None), DownloadColumn(), TimeRemainingColumn(),
                 TextColumn("{task.fields[detail]}"), console=console)  # fmt: skip
    counted = Bars(TextColumn("{task.description}"), BarColumn(BAR_WIDTH), MofNCompleteColumn(), TimeRemainingColumn(),
                   TextColumn("{task.fields[detail]}"), console=console)  # fmt: skip
    tasks: dict[str, TaskID] = {}

    def listener(event: Progress) -> None:
        bars = sized if event.unit == "bytes" else counted
        if event.task not in tasks:
            other = counted if bars is sized else sized
            other.stop()  # rich allows one live display at a time
            bars.start()
            tasks[event.task] = bars.add_task(_in_language(event.task), total=event.total, detail="")
        bars.update(tasks[event.task], completed=event.done, total=event.total, detail=event.detail)

    try:
        yield listener
    finally:
        sized.stop()
        counted.stop()


def _plain_lines() -> Listener:
    last: dict[str, float] = {}

    def listener(event: Progress) -> None:
        now = time.monotonic()
        finished = event.total is not None and event.done >= event.total
        if not finished and now - last.get(event.task, -PLAIN_LINE_EVERY_S) < PLAIN_LINE_EVERY_S:
            return
        last[event.task] = now
        total = "" if event.total is None else f"/{_amount(event.total, event.unit)}"
        detail = f" · {event.detail}" if event.detail else ""
        notify(f"{_in_language(event.task)} {_amount(event.done, event.unit)}{total}{detail}")

    return listener


def _amount(count: int, unit: str) -> str:
    return f"{count / 1e6:.1f} MB" if unit == "bytes" else str(count)
