"""Chatting for real: from a pipe, and at a terminal of its own (a pty)."""

import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time
from pathlib import Path

import pytest

from tests.fakes.command import PATIENCE_S, TOOLKIT, Ended, run_here
from tests.fakes.made_run import make_run

LOOKS = 10  # in a row, that show a thread asleep: it waits
SOON_S = 20  # on a busy machine; the complete answer takes longer


@pytest.fixture(scope="module", name="output")
def _output(lively_model, tmp_path_factory):
    output = tmp_path_factory.mktemp("chat") / "output"
    make_run(output, lively_model, seed=2, strength=0.3)
    return output


def piped(output: Path, lines: str | bytes, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [TOOLKIT, "chat", "--output", output, "--max-new-tokens", "12", *arguments],
        input=lines if isinstance(lines, bytes) else lines.encode(), capture_output=True, check=False,
    )  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def piped_here(output: Path, lines: str, *arguments: str) -> Ended:
    """In this process."""
    return run_here("chat", "--output", output, "--max-new-tokens", "12", *arguments, stdin=lines)


def test_from_a_pipe_each_side_answers_and_notices_go_to_stderr(output):
    done = piped(
        output, "/before\n你是谁？\n/after\n/forget\n你是谁？\n/before\n/forget\n你是谁？\n/quit\nnever asked\n"
    )

    assert done.returncode == 0, done.stderr
    before, after, again = answers(done.stdout, 3)
    assert before == again != after
    assert done.stderr.splitlines() == [
        "The adapter is off.", "The adapter is on.", "Forgotten.", "The adapter is off.", "Forgotten.",
    ]  # fmt: skip


def answers(stdout: str, count: int) -> list[str]:
    """A random model emits control characters too; only line feeds separate answers."""
    lines = stdout.removesuffix("\n").split("\n")
    assert len(lines) == count, lines
    return lines


def test_the_base_model_answers_as_the_run_with_its_adapter_off(output, lively_model):
    switched = piped_here(output, "/before\n你是谁？\n")
    base = piped_here(output, "你是谁？\n", "--base", "--model", str(lively_model))

    assert base.code == 0, base.err
    assert base.out == switched.out
    assert base.err == ""


def test_an_empty_pipe_prints_nothing(output):
    done = piped_here(output, "")

    assert (done.code, done.out, done.err) == (0, "", "")


class Terminal:
    """A chat with a pty for a terminal, 80 columns wide."""

    def __init__(self, *arguments: object):
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        self.child = subprocess.Popen(
            [TOOLKIT, *map(str, arguments)], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env=os.environ | {"TERM": "xterm"},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  # Ctrl-C is its controlling terminal's
        )  # fmt: skip
        os.close(slave)
        self.shown = ""

    def type(self, text: str, *, at_prompt: bool = True) -> None:
        """At a prompt once readline listens, which is a moment after it shows it: until then Ctrl-C is lost."""
        asleep = 0
        while at_prompt and asleep < LOOKS:
            assert self.child.poll() is None, self.shown
            asleep = asleep + 1 if self._state() == "S" else 0
            time.sleep(0.01)
        self.shown = ""
        os.write(self.master, text.encode())

    def _state(self) -> str:
        """Of its main thread; S: it waits."""
        return Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def wait_for(self, pattern: str) -> str:
        """What was shown since the last typing, once it holds the pattern."""
        until = time.monotonic() + PATIENCE_S
        while not re.search(pattern, self.shown):
            assert time.monotonic() < until, f"no {pattern!r} in {self.shown!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                try:
                    self.shown += os.read(self.master, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    assert re.search(pattern, self.shown), self.shown
        return self.shown

    def exit_code(self) -> int:
        return self.child.wait(PATIENCE_S)

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.master)


@pytest.fixture(name="terminal")
def _terminal(output):
    terminal = Terminal("chat", "--output", output, "--max-new-tokens", "6000")
    yield terminal
    terminal.close()


def test_at_a_terminal_ctrl_c_ends_an_answer_and_ctrl_d_the_chat(terminal):
    greeting = terminal.wait_for("after> ")
    assert "v0-20260101-000000 on lively" in greeting

    terminal.type("/before\n")
    terminal.wait_for("The adapter is off.[^>]*before> ")

    terminal.type("Who are you?\n")
    terminal.wait_for(r"Who are you\?\r\n.{20}")  # some hundred tokens of thousands
    began = time.monotonic()
    terminal.type("\x03", at_prompt=False)
    terminal.wait_for("before> ")
    assert time.monotonic() - began < SOON_S
    assert terminal.child.poll() is None

    terminal.type("\x03")  # at the prompt: a fresh one
    terminal.wait_for("before> ")

    terminal.type("/system Be brief.\n")
    terminal.wait_for("System prompt: Be brief.")
    terminal.type("\x04")
    assert terminal.exit_code() == 0


def test_at_a_terminal_quit_leaves(terminal):
    terminal.wait_for("after> ")

    terminal.type("/quit\n")

    assert terminal.exit_code() == 0


def test_the_prompt_of_a_terminal_is_not_among_answers_that_go_to_a_file(output, tmp_path):
    terminal = Terminal.__new__(Terminal)
    terminal.master, slave = pty.openpty()
    terminal.shown = ""
    with (tmp_path / "answers.txt").open("w") as file:
        terminal.child = subprocess.Popen(
            [TOOLKIT, "chat", "--output", output, "--max-new-tokens", "6"],
            stdin=slave, stdout=file, stderr=slave, start_new_session=True,
        )  # fmt: skip
    os.close(slave)
    try:
        terminal.wait_for("after> ")
        terminal.type("Who are you?\n")
        terminal.wait_for("after> ")
        terminal.type("/quit\n")
        assert terminal.exit_code() == 0
    finally:
        terminal.close()

    assert "after>" not in (tmp_path / "answers.txt").read_text(encoding="utf-8")
    assert (tmp_path / "answers.txt").stat().st_size > 1
