"""The edge's talk: bars at a terminal, plain lines elsewhere; stdout never hears it."""

import os
import pty
import re
import subprocess
import sys
import termios

import pytest

from toolkit.cli import console
from toolkit.core.events import Progress, read_tasks

SCRIPT = """
from toolkit.cli.console import progress, notify
from toolkit.core.events import Progress, read_tasks
with progress() as listener:
    for done in range(1, 4):
        listener(Progress(task="Before", done=done, total=3))
    for done in range(1, 31):
        listener(Progress(task="Training", done=done, total=30, detail="loss 0.123 · 14.7 GiB"))
        if done == 15:
            notify("A word in between.")
    for done in range(1, 4):
        listener(Progress(task="model-00001-of-00004.safetensors", done=done * 10**9, total=3 * 10**9, unit="bytes"))
"""


def at_a_terminal(**environment: str) -> str:
    """What the script shows at a terminal of 80 columns."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=slave, stdout=slave, stderr=slave,
        env=os.environ | {"TERM": "xterm"} | environment,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    while True:
        try:
            shown += os.read(master, 65536)
        except OSError:  # the other end is closed
            break
    os.close(master)
    assert child.wait() == 0
    return shown.decode()


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}])
def test_bars_fit_80_columns_and_let_a_word_through(environment):
    shown = at_a_terminal(**environment)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    lines = [part.rstrip() for part in re.split(r"[\r\n]+", plain)]

    assert max(map(len, lines)) <= 80
    assert "A word in between." in lines
    assert any(re.search(r"Training +━+ +30/30 .*loss 0\.123 · 14\.7 GiB", line) for line in lines)
    assert any(re.search(r"Before +━+ +3/3", line) for line in lines)
    assert any(re.search(r"model-00001-of-00004.safetensors ━.*3\.0/3\.0 GB", line) for line in lines)
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]", shown)) is not bool(environment)  # a colour


def test_elsewhere_it_is_plain_lines_at_intervals(capsys, monkeypatch):
    moments = iter([0.0, 1.0, 6.0, 7.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(moments))

    with console.progress() as listener:
        for done in (1, 2, 3, 4):
            listener(Progress(task="Training", done=done, total=4, detail="loss 0.5"))

    streams = capsys.readouterr()
    assert streams.err.splitlines() == [
        "Training 1/4 · loss 0.5", "Training 3/4 · loss 0.5", "Training 4/4 · loss 0.5",
    ]  # fmt: skip
    assert streams.out == ""


def test_bytes_are_shown_as_megabytes_and_an_unknown_total_not_at_all(capsys):
    with console.progress() as listener:
        listener(Progress(task="a", done=1_500_000, total=3_000_000, unit="bytes"))
        listener(Progress(task="b", done=7))

    assert capsys.readouterr().err.splitlines() == ["a 1.5 MB/3.0 MB", "b 7"]


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_an_answer_is_plain_in_a_pipe_and_drawn_where_a_terminal_outside_shows_it(monkeypatch, capsys, term):
    """A container's stdout is a pipe; TOOLKIT_TERMINAL says that a person looks at it, COLUMNS how wide."""
    monkeypatch.setenv("TERM", term)
    assert (console.answers().width, console.answers().is_terminal) == (80, False)
    monkeypatch.setenv("TOOLKIT_TERMINAL", "stdout,stderr")
    monkeypatch.setenv("COLUMNS", "61")
    assert (console.answers().width, console.answers().is_terminal) == (61, True)


def test_a_process_that_asks_for_it_gets_the_events_in_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TOOLKIT_PROGRESS", str(tmp_path / "progress.json"))
    with console.progress() as listener:
        listener(Progress(task="Training", done=3, total=3))

    assert [task.event.done for task in read_tasks(tmp_path / "progress.json")] == [3]
    assert capsys.readouterr().err == ""
