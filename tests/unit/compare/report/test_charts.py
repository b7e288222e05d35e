"""Geometry of the report's charts."""

import pytest

from toolkit.compare.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, bar, curve, nice, stacked


@pytest.mark.parametrize(("value", "end"), [(0, 1), (0.04, 0.04), (0.041, 0.06), (3.86, 4), (10, 10), (11, 20), (4, 4)])
def test_an_axis_ends_at_a_round_number(value, end):
    assert nice(value) == pytest.approx(end)


def test_a_curve_fills_its_frame():
    found = curve({"loss": [(1.0, 4.0), (3.0, 2.0), (5.0, 0.0)]})

    assert found.lines == {
        "loss": f"{float(LEFT)},{float(TOP)} {(LEFT + WIDTH - RIGHT) / 2},{(TOP + HEIGHT - BOTTOM) / 2}"
        f" {float(WIDTH - RIGHT)},{float(HEIGHT - BOTTOM)}"
    }
    assert [tick.text for tick in found.x_ticks] == ["1", "2", "3", "4", "5"]
    assert [tick.text for tick in found.y_ticks] == ["0", "1", "2", "3", "4"]


def test_one_step_makes_no_curve():
    assert curve({"loss": [(1.0, 4.0)]}) is None
    assert curve({"loss": []}) is None


def test_a_share_that_should_be_high_stands_on_the_whole_scale():
    drawn = bar(value=0.9, low=0.8, high=0.95, limit=0.9, noise=1.0, share=True, small_is_good=False)

    assert (drawn.value, drawn.low, drawn.high, drawn.limit, drawn.noise, drawn.end) == (90, 80, 95, 90, 100, 1)


def test_what_should_be_small_stands_on_a_scale_that_shows_its_limit():
    drawn = bar(value=0.0, low=0.0, high=0.06, limit=0.02, noise=None, share=True, small_is_good=True)

    assert drawn.end == pytest.approx(0.06)
    assert drawn.limit == pytest.approx(100 / 3, abs=0.01)


def test_a_share_never_stands_on_more_than_one():
    assert bar(value=0.9, low=0.8, high=1.0, limit=0.9, noise=None, share=True, small_is_good=True).end == 1.0


def test_what_is_below_nothing_stands_at_nothing():
    assert bar(value=-0.1, low=-0.2, high=0.0, limit=None, noise=None, share=False, small_is_good=True).value == 0


def test_parts_stand_one_after_the_other():
    parts = stacked({"load": 1.0, "train": 3.0}, 4.0)

    assert [(part.name, part.start, part.width) for part in parts] == [("load", 0, 25), ("train", 25, 75)]
