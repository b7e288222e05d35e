"""Suggestions for a mistyped command, option, file or name."""

from pathlib import Path

import pytest

from toolkit.core.spelling import near_files, nearest

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


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("mien.json", " Did you mean 'mine.json'?"),
        ("mine", " Did you mean 'mine.json'?"),
        ("mine.jsonl", " Did you mean 'mine.json'?"),
        ("Mine.json", " Did you mean 'mine.json'?"),
        ("sub/facst.csv", " Did you mean 'sub/facts.csv'?"),
        ("self_cognitoin.json", " Did you mean 'self_cognition.json'?"),
        ("self-cognition.json", " Did you mean 'self_cognition.json'?"),
        ("notes.txt", ""),
        ("zzz", ""),
        ("no/such/folder.json", ""),
    ],
)
def test_near_files(typed: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine.json", "notes.text", "sub/facts.csv", "shipped/self_cognition.json"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    assert near_files(Path(typed), (".json", ".csv"), beside=(Path("shipped"),)) == expected


def test_a_link_to_nothing_is_not_suggested_in_place_of_itself(tmp_path: Path):
    (tmp_path / "mine.json").symlink_to("mine.json")
    assert near_files(tmp_path / "mine.json", (".json",)) == ""
