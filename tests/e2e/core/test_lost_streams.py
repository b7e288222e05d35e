"""A reader that leaves, a full disk behind stdout, a lost terminal: trainings and comparisons end as they would."""

import json
import os
import pty
import signal
import subprocess

import pytest

from tests.fakes.command import PATIENCE_S, TOOLKIT, run_here
from tests.fakes.finetune_user import FinetuneUser, _user, end, lines_in, wait_for
from toolkit.runs.run import read_run

__all__ = ["_user"]  # a fixture

LONG = ("--epochs", "500")
REPORTS = {"report.html", "report.json", "report.junit.xml", "report.md"}


def in_shell(user: FinetuneUser, arguments: list[str], redirection: str) -> int:
    """The exit code of the command itself, whatever that of the pipe is."""
    script = f'{{ "$@"; echo $? > code; }} {redirection}'
    subprocess.run(
        ["bash", "-c", script, "-", TOOLKIT, *arguments], cwd=user.home, env=user.environment, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip
    return int((user.home / "code").read_text())


@pytest.mark.parametrize(
    ("redirection", "code"),
    [("2>&1 | head -1", 0), ("2>/dev/full", 0), ("<&- >&- 2>&-", 0), (">/dev/full 2>&1", 8)],
)
def test_a_training_finishes_without_its_streams(user: FinetuneUser, redirection: str, code: int):
    assert in_shell(user, user.job("--epochs", "1"), redirection) == code

    assert user.record()["status"] == "finished"
    assert (user.output / "latest").exists()


def test_a_comparison_keeps_its_verdicts_code_and_writes_its_reports(user: FinetuneUser):
    assert run_here(*user.job("--epochs", "1")).code == 0
    compare = ["compare", "--all", "--max-new-tokens", "4", "--system", "Be brief."]
    verdict = run_here(*compare).code
    folder = user.run() / "compare"
    assert verdict in {0, 20, 21, 22}

    for redirection in ("| head -1", "2>&1 | head -1", ">/dev/full", ">/dev/full 2>&1", "<&- >&- 2>&-"):
        for path in folder.iterdir():
            path.unlink()
        assert in_shell(user, compare, redirection) == verdict, redirection
        assert {path.name for path in folder.iterdir()} >= REPORTS, redirection


@pytest.mark.parametrize("encoding", ["ascii", "gbk"])
def test_a_chat_takes_and_gives_what_its_encoding_has(user: FinetuneUser, encoding: str):
    child = subprocess.run(
        [TOOLKIT, "chat", "--base", "--model", user.model, "--max-new-tokens", "4"], cwd=user.home, check=False,
        input="你好 é \udcff\n".encode("utf-8", "surrogateescape"), capture_output=True, timeout=PATIENCE_S,
        env=user.environment | {"PYTHONIOENCODING": encoding},
    )  # fmt: skip

    assert child.returncode == 0, child.stderr
    assert child.stdout


@pytest.mark.parametrize("nohup", [False, True])
def test_a_training_whose_terminal_is_lost_saves_its_checkpoint(user: FinetuneUser, nohup: bool):
    """As when an SSH connection breaks: the terminal is gone for writing too. Under nohup it runs on."""
    master, slave = pty.openpty()
    environment = user.environment | {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22", "TERM": "xterm"}
    prefix = ["nohup"] if nohup else []
    epochs = ("--epochs", "40") if nohup else LONG
    child = subprocess.Popen(
        [*prefix, TOOLKIT, *user.job(*epochs)], cwd=user.home, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=slave, text=True, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    wait_for(lines_in(user, 5), child)
    said = os.read(master, 65536).decode(errors="replace")
    os.close(master)
    child.send_signal(signal.SIGHUP)
    child.communicate(timeout=PATIENCE_S)

    assert ("Over SSH: if the connection breaks" in said) is not nohup
    if nohup:
        assert (child.returncode, read_run(user.run()).status) == (0, "finished")
        return
    assert child.returncode == 130
    run = read_run(user.run())
    assert (run.status, len(run.checkpoints)) == ("interrupted", 1)
    assert "--resume" in json.loads((user.run() / "run.json").read_text())["error"]


def test_what_a_launcher_left_does_not_make_a_training_wait(user: FinetuneUser):
    """Accelerate #3454: torch waited in silence for processes that nobody started."""
    left = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "10.255.255.1", "MASTER_PORT": "29500"}

    ended = user.runs(*user.job("--epochs", "1"), environment=left)

    assert ended.code == 0, ended.err
    assert "LOCAL_RANK, MASTER_ADDR, MASTER_PORT, RANK, WORLD_SIZE" in ended.err


def test_a_server_whose_terminal_is_lost_stops_as_it_should(user: FinetuneUser):
    child = user.starts("serve", "--base", "--model", user.model, "--port", "0")
    assert child.stdout.readline()
    child.send_signal(signal.SIGHUP)

    ended = end(child)

    assert ended.code == 0, ended.err
    assert "Stopped." in ended.err
