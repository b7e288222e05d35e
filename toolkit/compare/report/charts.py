"""Geometry of a report's charts: from numbers to positions on the page. Pure; the template draws."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 480, 220
LEFT, RIGHT, TOP, BOTTOM = 40, 14, 10, 26
LEAST_END = 0.02  # the least end of a scale: a smaller one would exaggerate tiny values


@dataclass(frozen=True, kw_only=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Curve:
    """An SVG of WIDTH by HEIGHT: the `points` attribute of each line, and the ticks of both axes."""

    lines: Mapping[str, str]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A metric on its scale; positions in percent of the width, None if there is nothing to draw."""

    value: float | None
    low: float | None
    high: float | None
    limit: float | None
    noise: float | None
    end: float


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A part of a stacked bar; in percent of the width."""

    name: str
    start: float
    width: float
    amount: float


def curve(lines: Mapping[str, Sequence[tuple[float, float]]]) -> Curve | None:
    """Lines of (step, value); None if there are fewer than two points."""
    points = [point for line in lines.values() for point in line]
    if len({x for x, _ in points}) < 2:  # noqa: PLR2004  # a line has two ends
        return None
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    top = nice(max(y for _, y in points))

    def across(x: float) -> float:
        return round(LEFT + (x - first) / (last - first) * (WIDTH - LEFT - RIGHT), 1)

    def up(y: float) -> float:
        return round(HEIGHT - BOTTOM - max(y, 0.0) / top * (HEIGHT - TOP - BOTTOM), 1)

    drawn = {name: " ".join(f"{across(x)},{up(y)}" for x, y in line) for name, line in lines.items()}
    steps = sorted({round(first + (last - first) * part / 4) for part in range(5)})
    return Curve(
        lines=drawn,
        x_ticks=tuple(Tick(at=across(x), text=f"{x:g}") for x in steps),
        y_ticks=tuple(Tick(at=up(top * part / 4), text=f"{top * part / 4:g}") for part in range(5)),
    )


def nice(value: float) -> float:
    """The end of an axis: 1, 2, 4, 6, 8 or 10 times a power of ten, at least `value`."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(round(step * power, 12) for step in (1, 2, 4, 6, 8, 10) if value <= step * power * (1 + 1e-9))


def bar(
    *, value: float | None, low: float | None, high: float | None, limit: float | None, noise: float | None,
    share: bool, small_is_good: bool, least_end: float = LEAST_END,
) -> Bar:  # fmt: skip
    """A share that should be high has a scale from 0 to 1; any other metric, one that shows its limit."""
    known = [number for number in (value, high, limit, noise) if number is not None]
    end = nice(max([*known, (limit or 0.0) * 2, least_end])) if small_is_good or not share else 1.0
    end = min(end, 1.0) if share else end

    def place(number: float | None) -> float | None:
        return None if number is None else round(min(max(number / end, 0.0), 1.0) * 100, 2)

    return Bar(value=place(value), low=place(low), high=place(high), limit=place(limit), noise=place(noise), end=end)


def stacked(parts: Mapping[str, float], total: float) -> list[Slice]:
    """Parts of `total`, one after the other."""
    found, start = [], 0.0
    for name, amount in parts.items():
        width = amount / total * 100 if total else 0.0
        found.append(Slice(name=name, start=round(start, 2), width=round(width, 2), amount=amount))
        start += width
    return found
