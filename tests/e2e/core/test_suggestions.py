"""Every command that a command suggests runs when it is pasted as it was printed, whatever the names of the files."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.fakes.command import DATA, Ended, run_here
from tests.fakes.finetune_user import FinetuneUser
from tests.fakes.made_run import probes_of

SUGGESTED = re.compile(r"""(?:"|Next: )(toolkit (?:[^"\n'\\]|\\'|'[^']*')+)(?:"|$)""", re.MULTILINE)
NOT_RUN = {2, 3}  # usage, configuration (a run or file that is not found); a shell that finds no command fails the test


@pytest.fixture(name="user")
def _user(tmp_path: Path, micro_model: Path, monkeypatch: pytest.MonkeyPatch) -> FinetuneUser:
    user = FinetuneUser(tmp_path / "a user's home", micro_model)
    monkeypatch.setenv("TOOLKIT_DATA", str(DATA))
    monkeypatch.setenv("TOOLKIT_MODEL", str(micro_model))
    monkeypatch.chdir(user.home)
    return user


def pasted(user: FinetuneUser, ended: Ended) -> list[Ended]:
    """How each suggested command ends: a real shell takes it apart, and its words are run in this process."""
    return [run_here(*_words(user, command)) for command in SUGGESTED.findall(ended.out + ended.err)]


@pytest.mark.parametrize("output", ["output", "my runs (1)", "it's; here"])
def test_after_a_training(user: FinetuneUser, output: str) -> None:
    user.writes("mine.probes.yaml", probes_of(["Who?"]))
    ended = run_here(*user.job("--epochs", "1", "--output", output))

    [suggested] = pasted(user, ended)
    assert suggested.code not in NOT_RUN, suggested.err
    assert list((user.home / output).glob("v0-*/compare/report.html"))


def test_before_the_first_run(user: FinetuneUser) -> None:
    for arguments in (["runs"], ["runs", "show"], ["compare"], ["chat", "v3"], ["export"], ["sweep", "--resume", "x"]):
        ended = run_here(*arguments, "--output", "no runs'")
        [command] = SUGGESTED.findall(ended.out + ended.err)
        # Parsed as far as --help, because each of them would train.
        assert _parses(user, command), command


def test_for_data(user: FinetuneUser) -> None:
    made = run_here("make-data", "--name", "Aurora", "--author", "Jane Doe", "--to", "it's mine.json")
    [command] = SUGGESTED.findall(made.err)
    assert all(_parses(user, part) for part in command.split(" && "))

    user.writes("bad rows'.json", '[{"instruction": "a", "output": "b"}, {"instruction": "a"}]')
    [suggested] = pasted(user, run_here(*user.job(data="bad rows'.json")))
    assert suggested.code == 5  # the data set's errors, each with its row


def _parses(user: FinetuneUser, command: str) -> bool:
    return run_here(*_words(user, f"{command} --help")).code == 0


def _words(user: FinetuneUser, command: str) -> list[str]:
    """What the command gets from bash, which finds the toolkit in its PATH and may find nothing else to run."""
    noted = user.home / "words"
    (user.home / "toolkit").write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" > '{noted.name}'\n")
    (user.home / "toolkit").chmod(0o755)
    subprocess.run(["/bin/bash", "-c", command], cwd=user.home, env={"PATH": str(user.home)}, check=True)
    words = noted.read_text().split("\0")[:-1]
    noted.unlink()
    return words
