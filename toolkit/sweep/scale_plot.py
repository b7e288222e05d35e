"""Draws what an adapter learned, and how far it drifted, over its strength as SVG. Pure: returns text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.compare.report.charts import nice
from toolkit.compare.report.html import fill_in
from toolkit.sweep.axes import Axis, Tick
from toolkit.sweep.labels import Box, Point
from toolkit.sweep.plot import STYLE

WIDTH, HEIGHT = 720, 520
LEFT, RIGHT = 60, 20
PANELS = ((40, 228), (296, 470))  # top and bottom of each, in pixels
ROOM = 1.15  # above the highest value


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One curve over the scale, with its threshold as a height and a text."""

    title: str
    frame: Box
    points: Sequence[Point]
    ticks: Sequence[Tick]
    limit: Tick | None


def scales_svg(
    points: Sequence[tuple[float, float, float]], *, least_learned: float | None, most_kl: float | None
) -> str:  # fmt: skip
    """Both curves in one SVG file. `points`: (scale, learned, kl) each; a threshold may be None."""
    kl_end = nice(max([kl for *_, kl in points] + [most_kl or 0.0]) * ROOM)
    learned = [(scale, value) for scale, value, _ in points]
    drift = [(scale, value) for scale, _, value in points]
    x = Axis(first=0.0, last=1.0, start_px=LEFT, end_px=WIDTH - RIGHT)
    return fill_in(
        Path(__file__).with_name("scales.svg.jinja"), plot_style=STYLE.read_text(encoding="utf-8"), width=WIDTH,
        height=HEIGHT, x_ticks=[Tick(at=x.at(scale), text=f"{scale:g}") for scale, *_ in points],
        panels=[
            _panel("Learned: the weaker of reliability and generality", learned, x, 0, 1.0, least_learned, "at least"),
            _panel("Drift: KL(base ‖ tuned) in nats per token", drift, x, 1, kl_end, most_kl, "at most"),
        ],
    )  # fmt: skip


def _panel(
    title: str, points: Sequence[Point], x: Axis, number: int, end: float, limit: float | None, words: str
) -> Panel:  # fmt: skip
    top, bottom = PANELS[number]
    y = Axis(first=0.0, last=end, start_px=bottom, end_px=top)
    return Panel(
        title=title, frame=Box(left=LEFT, top=top, right=WIDTH - RIGHT, bottom=bottom),
        points=[(x.at(scale), y.at(value)) for scale, value in points],
        ticks=[Tick(at=y.at(end * part / 4), text=f"{end * part / 4:g}") for part in range(5)],
        limit=None if limit is None else Tick(at=y.at(limit), text=f"{words} {limit:g}"),
    )  # fmt: skip
