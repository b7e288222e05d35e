"""What a use case reports while it works; the command line decides how to show it. Pure values."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`done` of `total` bytes of one task; `total` is None while unknown."""

    task: str
    done: int
    total: int | None = None
    part: bool = False  # of another task: drawn as a bar on a terminal, left out of a log


Listener = Callable[[Progress], None]
Notify = Callable[[str], None]  # takes one line for the user
