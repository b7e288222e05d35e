"""Axes of a plot: values to pixels, and where ticks go. Pure."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Maps values to pixels; `logarithmic` by powers of ten."""

    first: float
    last: float
    start_px: float
    end_px: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        first, last = self._scaled(self.first), self._scaled(self.last)
        share = (self._scaled(value) - first) / (last - first)
        return round(self.start_px + share * (self.end_px - self.start_px), 1)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def share_ticks(axis: Axis) -> list[Tick]:
    """At most seven, counted back from the axis's end."""
    step = next(step for step in (0.02, 0.05, 0.1, 0.2) if (axis.last - axis.first) / step <= 6 or step == 0.2)  # noqa: PLR2004
    count = round((axis.last - axis.first) / step)
    values = [axis.last - step * back for back in range(count, -1, -1)]
    return [Tick(at=axis.at(value), text=f"{value:.2g}") for value in values if value > axis.first - 1e-9]


def log_ticks(axis: Axis) -> list[Tick]:
    """Powers of ten; with 2 and 5 between them where there are few."""
    decades = range(math.floor(math.log10(axis.first)), math.ceil(math.log10(axis.last)) + 1)
    steps = (1, 2, 5) if math.log10(axis.last / axis.first) < 2.5 else (1,)  # noqa: PLR2004
    values = [step * 10.0**decade for decade in decades for step in steps]
    return [Tick(at=axis.at(value), text=_power(value)) for value in values if axis.first <= value <= axis.last]


def _power(value: float) -> str:
    return f"{value:.0e}".replace("e-0", "e-") if value < 1e-3 else f"{value:g}"  # noqa: PLR2004
