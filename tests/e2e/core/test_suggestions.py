"""Every command that a command suggests runs when it is pasted as it was printed, whatever the names of the files."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.fakes.command import DATA, TOOLKIT, Ended, run_here
from tests.fakes.finetune_user import FinetuneUser

SUGGESTED = re.compile(r"""(?:"|Next: )(toolkit (?:[^"\n'\\]|\\'|'[^']*')+)(?:"|$)""", re.MULTILINE)
NOT_RUN = {2, 3, 126, 127}  # usage, configuration (a run or file that is not found), and a shell's own


@pytest.fixture(name="user")
def _user(tmp_path: Path, micro_model: Path, monkeypatch: pytest.MonkeyPatch) -> FinetuneUser:
    user = FinetuneUser(tmp_path / "a user's home", micro_model)
    user.environment |= {"TOOLKIT_DATA": str(DATA), "TOOLKIT_MODEL": str(micro_model)}
    monkeypatch.chdir(user.home)
    return user


def pasted(user: FinetuneUser, ended: Ended) -> list[int]:
    """The exit code of each suggested command, in a shell that finds the toolkit in its PATH."""
    return [_code(user, command) for command in SUGGESTED.findall(ended.out + ended.err)]


@pytest.mark.parametrize("output", ["output", "my runs (1)", "it's; here"])
def test_after_a_training(user: FinetuneUser, output: str) -> None:
    ended = run_here(*user.job("--epochs", "1", "--output", output))

    [code] = pasted(user, ended)
    assert code not in NOT_RUN
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
    [code] = pasted(user, run_here(*user.job(data="bad rows'.json")))
    assert code == 5  # the data set's errors, each with its row


def _parses(user: FinetuneUser, command: str) -> bool:
    return _code(user, f"{command} --help") == 0


def _code(user: FinetuneUser, command: str) -> int:
    path = {"PATH": f"{TOOLKIT.parent}:{user.environment['PATH']}"}
    return subprocess.run(
        ["bash", "-c", command], cwd=user.home, env=user.environment | path, capture_output=True, check=False
    ).returncode
