"""Draws a sweep's runs and their frontier as SVG. Pure: returns text."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.compare.decision import TOOK_AT_LEAST
from toolkit.compare.report.figures import figure
from toolkit.compare.report.html import fill_in
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import misses
from toolkit.sweep.axes import Axis, log_ticks, share_ticks
from toolkit.sweep.frontier import Recommendation
from toolkit.sweep.grid import varying
from toolkit.sweep.labels import Box, Label, Point, place_labels, text_width
from toolkit.sweep.record import Entry

STYLE = Path(__file__).with_name("plot.css")
FONT_SIZE, LINE_HEIGHT = 12.0, 14.5
RIGHT, BOTTOM, PADDING = 18, 54, 26  # in pixels, as everything here; PADDING: at the left of the axis
RADIUS = 9.0  # kept free of labels around a point
LEAST_KL = 1e-5  # smaller values are drawn here: a logarithmic axis has no zero
LONGEST_LINE = 40
LEGEND_TOP, LEGEND_ROW, LEGEND_GAP, FRAME_BELOW_LEGEND = 42, 18, 18, 20
MARKS = {"passed": 14, "failed": 14, "ring": 16, "frontier": 24, "zone": 24}  # of the legend, with their widths
SHORT = {"learning_rate": "lr", "keep_weight": "weight", "keep_rows": "rows", "lora_rank": "rank"}


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """A drawing's size in pixels; `room`: at the right of the axis, for labels of the best runs."""

    name: str
    width: int
    height: int
    left: int
    room: int


WIDE = Canvas(name="wide", width=880, height=540, left=66, room=170)
NARROW = Canvas(name="narrow", width=360, height=420, left=48, room=40)  # as wide as a phone


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A sign of the legend, at the left end of `x`, and its word after it."""

    name: str
    x: float
    y: float
    text: str

    @property
    def text_x(self) -> float:
        return self.x + MARKS[self.name] + 5


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A run on the plot."""

    x: float
    y: float
    passed: bool
    recommended: bool
    title: str
    label: Label | None


def frontier_svg(
    entries: Sequence[Entry], frontier: Sequence[Entry], advice: Recommendation, *, standalone: bool,
    texts: Texts | None = None, canvas: Canvas = WIDE,
) -> str | None:  # fmt: skip
    """Learned against drift, a point per run; None where no run has both measures.

    `standalone`: with the style of its own that a file needs; a page brings `STYLE` itself.
    `canvas`: WIDE or NARROW.
    """
    t = texts or Texts()
    shown = [entry for entry in entries if None not in entry.point]
    if not shown:
        return None
    thresholds = next((entry.thresholds for entry in shown if entry.thresholds), {})
    least_learned = max((thresholds[name] for name in TOOK_AT_LEAST if name in thresholds), default=None)
    most_kl = thresholds.get("kl")
    legend = _legend(canvas, t, passed=advice.passed, zone=None not in (least_learned, most_kl))
    top = legend[-1].y + FRAME_BELOW_LEGEND
    frame = Box(left=canvas.left, top=top, right=canvas.width - RIGHT, bottom=canvas.height - BOTTOM)
    x, y = _learned_axis(shown, least_learned, frame, canvas.room), _kl_axis(shown, most_kl, frame)
    line = _steps([_pixel(entry, x, y) for entry in frontier])
    limits = _limits(least_learned, most_kl, x, y, frame, t)
    return fill_in(
        Path(__file__).with_name("frontier.svg.jinja"), plot_style=STYLE.read_text(encoding="utf-8"),
        standalone=standalone, canvas=canvas, frame=frame, x_ticks=share_ticks(x), y_ticks=log_ticks(y),
        limits=limits, zone=_zone(limits, frame), frontier=" ".join(f"{a},{b}" for a, b in line), legend=legend,
        dots=_dots(shown, advice.run, x, y, line, limits, frame, t), line_height=LINE_HEIGHT, t=t,
    )  # fmt: skip


def _legend(canvas: Canvas, t: Texts, *, passed: bool, zone: bool) -> list[Mark]:
    """The signs in rows, as many in each as there is room for."""
    words = {
        "passed": "passed", "failed": "failed", "ring": "recommended" if passed else "closest", "frontier": "frontier",
        **({"zone": "zone"} if zone else {}),
    }  # fmt: skip
    found: list[Mark] = []
    x, y = float(canvas.left), float(LEGEND_TOP)
    for name, word in words.items():
        text = t(f"sweep.svg.{word}")
        mark = Mark(name=name, x=x, y=y, text=text)
        if x > canvas.left and mark.text_x + text_width(text, FONT_SIZE) > canvas.width - RIGHT:
            y += LEGEND_ROW
            mark = Mark(name=name, x=canvas.left, y=y, text=text)
        found.append(mark)
        x = round(mark.text_x + text_width(text, FONT_SIZE) + LEGEND_GAP, 1)
    return found


def _learned_axis(shown: Sequence[Entry], limit: float | None, frame: Box, room: int) -> Axis:
    """From a tenth below the least run or limit, but at least the upper fifth."""
    least = min([0.8, *(entry.point[0] or 0.0 for entry in shown), *([] if limit is None else [limit - 0.05])])
    return Axis(
        first=max(0.0, math.floor(least * 10 - 1e-9) / 10), last=1.0, start_px=frame.left + PADDING,
        end_px=frame.right - room,
    )  # fmt: skip


def _kl_axis(shown: Sequence[Entry], limit: float | None, frame: Box) -> Axis:
    values = [_kl(entry) for entry in shown] + ([] if limit is None else [max(limit, LEAST_KL)])
    least, most = min(values), max(values)
    spread = max(2.5, (most / least) ** 0.12)  # room beyond the outermost values, as a factor
    return Axis(
        first=least / spread, last=most * spread, start_px=frame.bottom, end_px=frame.top, logarithmic=True
    )  # fmt: skip


def _kl(entry: Entry) -> float:
    return max(entry.point[1] or 0.0, LEAST_KL)


def _pixel(entry: Entry, x: Axis, y: Axis) -> Point:
    return x.at(entry.point[0] or 0.0), y.at(_kl(entry))


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A threshold as a line across the frame, with its text in a box."""

    start: Point
    end: Point
    text: str
    box: Box


def _limits(
    least_learned: float | None, most_kl: float | None, x: Axis, y: Axis, frame: Box, t: Texts
) -> dict[str, Limit]:  # fmt: skip
    found = {}
    if least_learned is not None:
        at, text = x.at(least_learned), t("sweep.svg.at_least", limit=f"{least_learned:g}")
        box = Box(left=at - text_width(text, FONT_SIZE) - 7, top=frame.top + 5, right=at - 7, bottom=frame.top + 20)
        found["learned"] = Limit(start=(at, frame.top), end=(at, frame.bottom), text=text, box=box)
    if most_kl is not None:
        at, text = y.at(max(most_kl, LEAST_KL)), t("sweep.svg.at_most", limit=f"{most_kl:g}")
        width = text_width(text, FONT_SIZE)
        box = Box(left=frame.left + 8, top=at - 18, right=frame.left + 8 + width, bottom=at - 3)
        found["kl"] = Limit(start=(frame.left, at), end=(frame.right, at), text=text, box=box)
    return found


def _zone(limits: Mapping[str, Limit], frame: Box) -> Box | None:
    """Where both thresholds are met."""
    if len(limits) < 2:  # noqa: PLR2004  # one line bounds no corner
        return None
    return Box(left=limits["learned"].start[0], top=limits["kl"].start[1], right=frame.right, bottom=frame.bottom)


def _steps(points: Sequence[Point]) -> list[Point]:
    """The frontier as a staircase: at each height, the most that any run learned with at most that drift."""
    found = [*points[:1]]
    for last, (x, y) in itertools.pairwise(points):
        found += [(last[0], y), (x, y)]
    return found


def _dots(
    shown: Sequence[Entry], recommended: str | None, x: Axis, y: Axis, line: Sequence[Point],
    limits: Mapping[str, Limit], frame: Box, t: Texts,
) -> list[Dot]:  # fmt: skip
    """Recommended and passing runs are labelled first."""
    names = [name for name in varying([entry.settings for entry in shown]) if name != "epochs"]
    order = sorted(shown, key=lambda entry: (entry.run != recommended, not entry.met, _kl(entry)))
    segments = [*itertools.pairwise(line), *((limit.start, limit.end) for limit in limits.values())]
    labels = place_labels(
        [(_pixel(entry, x, y), _variants(entry, names, t)) for entry in order], bounds=frame,
        points=[_pixel(entry, x, y) for entry in shown], radius=RADIUS,
        reserved=[limit.box for limit in limits.values()],
        segments=segments, size=FONT_SIZE, line_height=LINE_HEIGHT,
    )  # fmt: skip
    return [
        Dot(
            x=_pixel(entry, x, y)[0], y=_pixel(entry, x, y)[1], passed=entry.met,
            recommended=entry.run == recommended, title=_title(entry, t), label=label,
        )
        for entry, label in reversed(list(zip(order, labels, strict=True)))
    ]  # fmt: skip


def _variants(entry: Entry, names: Sequence[str], t: Texts) -> list[tuple[str, ...]]:
    """What a label may say, the longest first."""
    head = f"{entry.number} {entry.recipe['name']}"
    details = [
        _epochs(entry, t),
        *(f"{SHORT.get(name, name)} {entry.settings[name]:g}" for name in names if name in entry.settings),
    ]
    why = [
        f"{name} {figure(value)}"
        for name, value in entry.metrics.items()
        if value is not None and misses(name, value, entry.thresholds)
    ]
    if not entry.met and not {"kl", *TOOK_AT_LEAST} & {text.partition(" ")[0] for text in why}:
        details += why  # the plot itself does not show these
    text = ", ".join(part for part in details if part)
    second = text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 1]}…"
    variants = [(head, second), (entry.number, _epochs(entry, t)), (entry.number,)]
    return [tuple(line for line in lines if line) for lines in variants]


def _epochs(entry: Entry, t: Texts) -> str:
    epochs = entry.recipe.get("epochs")
    return "" if epochs is None else t("sweep.svg.epoch" if epochs == 1 else "sweep.svg.epochs", count=f"{epochs:g}")


def _title(entry: Entry, t: Texts) -> str:
    measured = [
        f"{t(f'metric.{name}.name')} {figure(value)}" for name, value in entry.metrics.items() if value is not None
    ]
    return f"{entry.run} ({entry.label}): {', '.join(measured)}"
