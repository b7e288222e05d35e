"""What a use case tells about its progress; the edge decides how it looks. Pure values."""

from collections.abc import Callable
from dataclasses import dataclass


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
