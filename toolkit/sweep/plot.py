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
WIDTH, HEIGHT = 880, 540
LEFT, RIGHT, TOP, BOTTOM = 66, 18, 62, 54
PADDING_LEFT, PADDING_RIGHT = 26, 170  # beyond the axis, in pixels: labels of the best runs need room
FONT_SIZE, LINE_HEIGHT = 12.0, 14.5
RADIUS = 9.0  # kept free of labels around a point
LEAST_KL = 1e-5  # smaller values are drawn here: a logarithmic axis has no zero
LONGEST_LINE = 40
SHORT = {"learning_rate": "lr", "keep_weight": "weight", "keep_rows": "rows", "lora_rank": "rank"}


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
    texts: Texts | None = None,
) -> str | None:  # fmt: skip
    """Learned against drift, a point per run; None where no run has both measures.

    `standalone`: with the style of its own that a file needs; a page brings `STYLE` itself.
    """
    t = texts or Texts()
    shown = [entry for entry in entries if None not in entry.point]
    if not shown:
        return None
    thresholds = next((entry.thresholds for entry in shown if entry.thresholds), {})
    least_learned = max((thresholds[name] for name in TOOK_AT_LEAST if name in thresholds), default=None)
    most_kl = thresholds.get("kl")
    x, y = _learned_axis(shown, least_learned), _kl_axis(shown, most_kl)
    line = _steps([_pixel(entry, x, y) for entry in frontier])
    limits = _limits(least_learned, most_kl, x, y, t)
    return fill_in(
        Path(__file__).with_name("frontier.svg.jinja"), plot_style=STYLE.read_text(encoding="utf-8"),
        standalone=standalone, width=WIDTH, height=HEIGHT, frame=_frame(), x_ticks=share_ticks(x),
        y_ticks=log_ticks(y), limits=limits, zone=_zone(limits), frontier=" ".join(f"{a},{b}" for a, b in line),
        dots=_dots(shown, advice.run, x, y, line, limits, t), line_height=LINE_HEIGHT, t=t, passed=advice.passed,
    )  # fmt: skip


def _frame() -> Box:
    return Box(left=LEFT, top=TOP, right=WIDTH - RIGHT, bottom=HEIGHT - BOTTOM)


def _learned_axis(shown: Sequence[Entry], limit: float | None) -> Axis:
    """From a tenth below the least run or limit, but at least the upper fifth."""
    least = min([0.8, *(entry.point[0] or 0.0 for entry in shown), *([] if limit is None else [limit - 0.05])])
    frame = _frame()
    return Axis(
        first=max(0.0, math.floor(least * 10 - 1e-9) / 10), last=1.0, start_px=frame.left + PADDING_LEFT,
        end_px=frame.right - PADDING_RIGHT,
    )  # fmt: skip


def _kl_axis(shown: Sequence[Entry], limit: float | None) -> Axis:
    values = [_kl(entry) for entry in shown] + ([] if limit is None else [max(limit, LEAST_KL)])
    frame, least, most = _frame(), min(values), max(values)
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


def _limits(least_learned: float | None, most_kl: float | None, x: Axis, y: Axis, t: Texts) -> dict[str, Limit]:
    frame, found = _frame(), {}
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


def _zone(limits: Mapping[str, Limit]) -> Box | None:
    """Where both thresholds are met."""
    if len(limits) < 2:  # noqa: PLR2004  # one line bounds no corner
        return None
    frame = _frame()
    return Box(left=limits["learned"].start[0], top=limits["kl"].start[1], right=frame.right, bottom=frame.bottom)


def _steps(points: Sequence[Point]) -> list[Point]:
    """The frontier as a staircase: at each height, the most that any run learned with at most that drift."""
    found = [*points[:1]]
    for last, (x, y) in itertools.pairwise(points):
        found += [(last[0], y), (x, y)]
    return found


def _dots(
    shown: Sequence[Entry], recommended: str | None, x: Axis, y: Axis, line: Sequence[Point],
    limits: Mapping[str, Limit], t: Texts,
) -> list[Dot]:  # fmt: skip
    """Recommended and passing runs are labelled first."""
    names = [name for name in varying([entry.settings for entry in shown]) if name != "epochs"]
    order = sorted(shown, key=lambda entry: (entry.run != recommended, not _passed(entry), _kl(entry)))
    segments = [*itertools.pairwise(line), *((limit.start, limit.end) for limit in limits.values())]
    labels = place_labels(
        [(_pixel(entry, x, y), _variants(entry, names, t)) for entry in order], bounds=_frame(),
        points=[_pixel(entry, x, y) for entry in shown], radius=RADIUS,
        reserved=[limit.box for limit in limits.values()],
        segments=segments, size=FONT_SIZE, line_height=LINE_HEIGHT,
    )  # fmt: skip
    return [
        Dot(
            x=_pixel(entry, x, y)[0], y=_pixel(entry, x, y)[1], passed=_passed(entry),
            recommended=entry.run == recommended, title=_title(entry, t), label=label,
        )
        for entry, label in reversed(list(zip(order, labels, strict=True)))
    ]  # fmt: skip


def _passed(entry: Entry) -> bool:
    return bool((entry.verdict or {}).get("passed"))


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
    if not _passed(entry) and not {"kl", *TOOK_AT_LEAST} & {text.partition(" ")[0] for text in why}:
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
