"""Labels cover neither each other nor a point; where none fits, there is none."""

import itertools
import random

from toolkit.sweep.labels import Box, place_labels, text_width

BOUNDS = Box(left=0, top=0, right=400, bottom=300)


def place(points, *, variants=(("v1 keep", "5 epochs"), ("v1",)), reserved=(), segments=()):
    return place_labels(
        [(point, variants) for point in points], bounds=BOUNDS, points=points, radius=8, reserved=reserved,
        segments=segments, size=12, line_height=14,
    )  # fmt: skip


def test_a_label_stands_to_the_right_of_its_point():
    (label,) = place([(100, 100)])

    assert (label.lines, label.anchor, label.x, label.leader) == (("v1 keep", "5 epochs"), "start", 111, None)


def test_at_the_right_edge_it_stands_to_the_left():
    (label,) = place([(390, 100)])

    assert (label.anchor, label.x) == ("end", 379)


def test_no_label_covers_another_a_point_or_a_reserved_box():
    draw = random.Random(7)
    points = [(draw.uniform(10, 390), draw.uniform(10, 290)) for _ in range(40)]
    reserved = Box(left=150, top=100, right=250, bottom=120)

    labels = [label for label in place(points, reserved=[reserved]) if label is not None]

    assert len(labels) > 20
    assert not any(a.box.overlaps(b.box) for a, b in itertools.combinations(labels, 2))
    assert not any(label.box.overlaps(reserved) for label in labels)
    assert not any(
        label.box.left < x < label.box.right and label.box.top < y < label.box.bottom
        for label in labels
        for x, y in points
    )
    assert all(BOUNDS.contains(label.box) for label in labels)


def test_where_there_is_no_room_a_point_has_the_shorter_label_or_none():
    walls = [Box(left=0, top=0, right=400, bottom=90), Box(left=0, top=110, right=400, bottom=300)]

    assert [label.lines for label in place([(100, 100)], reserved=walls)] == [("v1",)]
    assert place([(100, 100)], variants=[("a long text", "in two lines")], reserved=walls) == [None]


def test_a_label_keeps_off_a_line_if_it_can():
    (label,) = place([(100, 100)], segments=[((100, 100), (400, 100))])

    assert label.anchor != "start" or label.box.bottom <= 100 or label.box.top >= 100


def test_a_far_label_is_joined_to_its_point():
    around = [Box(left=80, top=80, right=120, bottom=99), Box(left=80, top=101, right=120, bottom=120)]

    (label,) = place([(100, 100)], reserved=around)

    assert label.leader is not None


def test_chinese_is_about_twice_as_wide():
    assert text_width("菜谱", 12) == 24
    assert text_width("ab", 12) < 16
