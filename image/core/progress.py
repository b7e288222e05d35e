"""What a use case tells while it works; the edge decides how it looks. Pure values."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`done` of `total` bytes of one task; `total` None while it is not known."""

    task: str
    done: int
    total: int | None = None
    part: bool = False  # of another task: a bar where there is a terminal, nothing in a log


Listener = Callable[[Progress], None]
Say = Callable[[str], None]  # one line of talk
