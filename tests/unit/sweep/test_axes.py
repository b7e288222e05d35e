"""Values to pixels, and the ticks of an axis."""

import pytest

from toolkit.sweep.axes import Axis, log_ticks, share_ticks


def test_a_linear_axis_maps_its_ends_and_its_middle():
    axis = Axis(first=0.0, last=2.0, start_px=10, end_px=110)

    assert [axis.at(value) for value in (0.0, 1.0, 2.0)] == [10, 60, 110]


def test_a_logarithmic_axis_gives_each_power_of_ten_the_same_room():
    axis = Axis(first=0.001, last=0.1, start_px=100, end_px=0, logarithmic=True)

    assert [axis.at(value) for value in (0.001, 0.01, 0.1)] == [100, 50, 0]


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (0.0, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (0.5, ["0.5", "0.6", "0.7", "0.8", "0.9", "1"]),
        (0.9, ["0.9", "0.92", "0.94", "0.96", "0.98", "1"]),
    ],
)
def test_shares_have_few_round_ticks(first: float, expected: list[str]):
    assert [tick.text for tick in share_ticks(Axis(first=first, last=1.0, start_px=0, end_px=100))] == expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0.9e-5, 0.2, ["1e-5", "1e-4", "0.001", "0.01", "0.1"]),
        (0.004, 0.06, ["0.005", "0.01", "0.02", "0.05"]),
    ],
)
def test_powers_of_ten_have_ticks_and_two_and_five_where_there_are_few(first: float, last: float, expected: list[str]):
    axis = Axis(first=first, last=last, start_px=100, end_px=0, logarithmic=True)

    assert [tick.text for tick in log_ticks(axis)] == expected
