"""Suggestions for a mistyped command or option."""

import pytest

from toolkit.cli.suggestions import nearest

OPTIONS = ("--learning-rate", "--lora-rank", "--batch-size", "--micro-batch-size", "--epochs", "--output")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("--lr", ["--learning-rate", "--lora-rank"]),  # initials
        ("--mbs", ["--micro-batch-size"]),
        ("--learn", ["--learning-rate"]),  # the beginning of a name
        ("--epoch", ["--epochs"]),
        ("--ouptut", ["--output"]),  # letters swapped
        ("--batch_size", ["--batch-size"]),
        ("--zzz", []),
        ("--", []),
    ],
)
def test_nearest(word: str, expected: list[str]):
    assert nearest(word, OPTIONS) == expected
