"""Suggested make commands: pasted as printed, they reach make with these values."""

import shlex
from pathlib import Path

import pytest

from image.core.suggestion import joined, make_command


def test_defaults_are_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RUNTIME", raising=False)
    assert make_command("runs", output=Path("output"), MODEL="") == "make runs"


def test_the_runtime_stays_what_it_was(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUNTIME", "local")
    assert make_command("export", RUN="v3") == "make export RUN=v3 RUNTIME=local"


@pytest.mark.parametrize("folder", ["my runs", "it's", "a;b", "$(x)"])
def test_a_message_can_put_double_quotes_around_it(folder: str):
    command = make_command("runs", output=Path(folder))
    assert '"' not in command
    assert shlex.split(command)[-1] == f"OUTPUT={folder}" or shlex.split(command)[-2] == f"OUTPUT={folder}"


def test_joined_words_split_again():
    words = ["a b", "it's", "", "$x"]
    assert shlex.split(joined(words)) == words
