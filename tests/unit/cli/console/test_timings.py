"""The bars of a run's time."""

from toolkit.cli.console.timings import bars
from toolkit.runs.training_log import PHASES, phases


def test_a_bar_is_as_long_as_its_share_and_short_phases_are_left_out():
    lines = list(bars({"imports": 7.5, "save": 0.01, "训练": 2.5}, 10.0))

    assert [line.count("█") for line in lines] == [30, 10]
    assert [line.split()[:2] for line in lines] == [["imports", "7.5"], ["训练", "2.5"]]
    assert lines[0].index("7.5") == lines[1].index("2.5") + 2  # two characters of two columns


def test_what_no_phase_explains_is_other():
    assert phases({"train": 2, "import": 1, "total": 4, "load": 0}, PHASES) == {
        "import": 1.0,
        "train": 2.0,
        "other": 1.0,
    }
    assert phases({"train": 2, "total": 2}, PHASES) == {"train": 2.0}
