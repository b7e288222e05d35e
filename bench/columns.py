"""Rows of words as columns for a terminal: the first one to the left, the others to the right."""

from collections.abc import Sequence

SECONDS_SHOWN = 0.005


def columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(line)).rstrip()
        for line in ([*zip(row, widths, strict=True)] for row in rows)
    )


def seconds(value: float | None) -> str:
    """To the hundredth; a dash where there is nothing to tell."""
    return "-" if value is None or abs(value) < SECONDS_SHOWN else f"{value:.2f}"
