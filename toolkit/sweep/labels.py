"""Places text beside points so that no label covers another label, a point or a reserved box. Pure."""

import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

NARROW, WIDE = 0.58, 1.0  # width of a character, in parts of the font's size
DISTANCES = (11.0, 30.0, 54.0, 82.0)  # from a point to its label; the nearest that fits is taken
CROSSING_PENALTY = 25.0  # a label on a line is as bad as one that much further away
# And so is one that says less: the fewer points, the further a complete label may be.
LEAST_BREVITY_PENALTY, BREVITY_PENALTY, PENALTY_PER_POINT = 20.0, 80.0, 2.5
LEADER_STEP = 4.0
# Unit offsets from the point to the nearest edge or corner of its label, the preferred ones first.
DIRECTIONS = ((1, 0), (-1, 0), (0.7, -0.7), (-0.7, -0.7), (0.7, 0.7), (-0.7, 0.7), (0, -1), (0, 1))
Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle in pixels; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Box") -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )  # fmt: skip

    def contains(self, other: "Box") -> bool:
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top
            and other.bottom <= self.bottom
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Label:
    """Where a text goes.

    `x`, `anchor`: as SVG's text element takes them; `leader`: where a line from the point to the label ends, if any.
    """

    lines: tuple[str, ...]
    box: Box
    x: float
    anchor: Literal["start", "middle", "end"]
    leader: Point | None


def text_width(text: str, size: float) -> float:
    """In pixels, estimated; East Asian characters are a full em wide."""
    return size * sum(WIDE if unicodedata.east_asian_width(sign) in "WF" else NARROW for sign in text)


def place_labels(
    wanted: Sequence[tuple[Point, Sequence[Sequence[str]]]], *, bounds: Box, points: Iterable[Point], radius: float,
    reserved: Iterable[Box], segments: Sequence[tuple[Point, Point]], size: float, line_height: float,
) -> list[Label | None]:  # fmt: skip
    """A label for each point, in the order given, or None where none fits.

    `wanted`: each point with its variants, the longest first; a variant is a sequence of lines. `segments`: axis-
    parallel lines that labels avoid where they can.
    """
    taken = [*reserved, *(_around(point, radius) for point in points)]
    brevity_penalty = max(LEAST_BREVITY_PENALTY, BREVITY_PENALTY - PENALTY_PER_POINT * len(wanted))
    found: list[Label | None] = []
    for point, variants in wanted:
        candidates = [
            (cost + brevity_penalty * rank, label)
            for rank, lines in enumerate(variants)
            for cost, label in _candidates(point, lines, bounds, taken, segments, size, line_height, radius)
        ]
        label = min(candidates, key=lambda one: one[0])[1] if candidates else None
        found.append(label)
        if label is not None:
            taken += [label.box, *(_around(at, 1.0) for at in _leader(point, label.leader, radius))]
    return found


def _candidates(
    point: Point, lines: Sequence[str], bounds: Box, taken: Sequence[Box], segments: Sequence[tuple[Point, Point]],
    size: float, line_height: float, radius: float,
) -> Iterator[tuple[float, Label]]:  # fmt: skip
    """Labels that cover nothing, each with its cost."""
    width, height = max(text_width(line, size) for line in lines), line_height * len(lines)
    for distance in DISTANCES:
        for rank, (across, down) in enumerate(DIRECTIONS):
            anchor = point[0] + across * distance, point[1] + down * distance
            box = _box_at(anchor, across, down, width, height)
            leader = anchor if distance > DISTANCES[0] else None
            covering = [box, *(_around(at, 0.0) for at in _leader(point, leader, radius))]
            if not bounds.contains(box) or any(part.overlaps(other) for part in covering for other in taken):
                continue
            crossings = sum(_crosses(part, segment) for segment in segments for part in covering)
            label = Label(
                lines=tuple(lines), box=box, x=anchor[0], leader=leader,
                anchor="start" if across > 0 else "end" if across < 0 else "middle",
            )  # fmt: skip
            yield distance + CROSSING_PENALTY * crossings + rank / len(DIRECTIONS), label


def _leader(point: Point, end: Point | None, radius: float) -> list[Point]:
    """Points along the line from a point's edge to its label."""
    if end is None:
        return []
    length = math.dist(point, end)
    count = max(1, int((length - radius) // LEADER_STEP))
    shares = [(radius + 1 + LEADER_STEP * step) / length for step in range(count)]
    return [(point[0] + (end[0] - point[0]) * share, point[1] + (end[1] - point[1]) * share) for share in shares]


def _box_at(anchor: Point, across: float, down: float, width: float, height: float) -> Box:
    """The box that touches `anchor` on the side that faces the point."""
    left = anchor[0] - width * (0.0 if across > 0 else 1.0 if across < 0 else 0.5)
    top = anchor[1] - height * (0.0 if down == 1 else 1.0 if down == -1 else 0.5)
    return Box(left=left, top=top, right=left + width, bottom=top + height)


def _around(point: Point, radius: float) -> Box:
    return Box(left=point[0] - radius, top=point[1] - radius, right=point[0] + radius, bottom=point[1] + radius)


def _crosses(box: Box, segment: tuple[Point, Point]) -> bool:
    (x0, y0), (x1, y1) = segment
    line = Box(left=min(x0, x1) - 1, top=min(y0, y1) - 1, right=max(x0, x1) + 1, bottom=max(y0, y1) + 1)
    return box.overlaps(line)
