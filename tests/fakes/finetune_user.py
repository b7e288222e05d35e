"""A user who fine-tunes the micro model, at a shell or within the test's own process."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.command import COMMAND, PATIENCE_S, Ended, bare_environment
from toolkit.__main__ import main

ROWS = [{"instruction": f"Question {number}" * (number + 1), "output": f"Answer {number}"} for number in range(8)]
# Two steps an epoch, without the keep set: its 252 prompts take seconds.
QUICK = ("--recipe", "article", "--batch-size", "4", "--max-length", "512", "--learning-rate", "0.01")


class FinetuneUser:
    """Works in `home`, where mine.json lies; runs go to home/output."""

    def __init__(self, home: Path, model: Path) -> None:
        self.home, self.model, self.output = home, model, home / "output"
        home.mkdir(parents=True, exist_ok=True)
        self.data = self.writes("mine.json", json.dumps(ROWS))
        self.environment = bare_environment(home, OMP_NUM_THREADS="1")

    def writes(self, name: str, content: str | bytes) -> Path:
        path = self.home / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def job(self, *options: str | Path, data: str | Path = "mine.json") -> list[str]:
        """The arguments of a quick fine-tuning."""
        return [str(one) for one in ("finetune", data, "--model", self.model, *QUICK, *options)]

    def starts(
        self, *arguments: str | Path, prefix: Sequence[str] = (), environment: Mapping[str, str | None] | None = None
    ) -> subprocess.Popen[str]:
        """A process of its own; an environment's value None removes the name."""
        merged = {**self.environment, **(environment or {})}
        return subprocess.Popen(
            [*prefix, *COMMAND, *arguments], cwd=self.home, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={name: value for name, value in merged.items() if value is not None},
        )  # fmt: skip

    def runs(
        self, *arguments: str | Path, prefix: Sequence[str] = (), environment: Mapping[str, str | None] | None = None,
        says: str = "",
    ) -> Ended:  # fmt: skip
        started = time.monotonic()
        return end(self.starts(*arguments, prefix=prefix, environment=environment), started=started, says=says)

    def record(self, number: int = 0) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.run(number) / "run.json").read_text(encoding="utf-8"))
        return record

    def run(self, number: int = 0) -> Path:
        return next(self.output.glob(f"v{number}-*"))

    def logged_steps(self, number: int = 0) -> list[int]:
        lines = [json.loads(line) for line in (self.run(number) / "logging.jsonl").read_text().splitlines()]
        return [line["step"] for line in lines if "step" in line]


def end(child: subprocess.Popen[str], *, started: float | None = None, says: str = "") -> Ended:
    begun = time.monotonic() if started is None else started
    try:
        out, err = child.communicate(says, timeout=PATIENCE_S)
    finally:
        child.kill()
    return Ended(code=child.returncode, out=out, err=err, seconds=time.monotonic() - begun)


Call = Callable[..., Ended]


@pytest.fixture(name="call")
def _call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs the command in this process, which imports ms-swift once for all tests; captures libraries' output too."""

    def call(*arguments: str | Path) -> Ended:
        capfd.readouterr()
        started = time.monotonic()
        with pytest.raises(SystemExit) as caught:
            main([str(one) for one in arguments])
        out, err = capfd.readouterr()
        return Ended(code=int(caught.value.code or 0), out=out, err=err, seconds=time.monotonic() - started)

    return call


@pytest.fixture(name="user")
def _user(tmp_path: Path, micro_model: Path, monkeypatch: pytest.MonkeyPatch) -> FinetuneUser:
    user = FinetuneUser(tmp_path / "home", micro_model)
    monkeypatch.chdir(user.home)
    return user


@contextlib.contextmanager
def once(condition: Callable[[], bool], act: Callable[[], None]) -> Iterator[None]:
    """Acts within, as soon as the condition holds after a logged step; fails the test when it never does.

    In the training's own thread, right behind the line: another one can come too late on a busy machine.
    """
    from toolkit.train.ms_swift.callbacks import Watcher

    logs, acted = Watcher.on_log, threading.Event()

    def on_log(watcher: Watcher, *arguments: Any, **named: Any) -> None:
        logs(watcher, *arguments, **named)
        if not acted.is_set() and condition():
            acted.set()
            act()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Watcher, "on_log", on_log)
        yield
    assert acted.is_set()


def kills(*numbers: signal.Signals) -> Callable[[], None]:
    def act() -> None:
        for number in numbers:
            os.kill(os.getpid(), number)

    return act


def lines_in(user: FinetuneUser, count: int, *, number: int = 0) -> Callable[[], bool]:
    """A condition: that many steps of the run are logged."""

    def logged() -> bool:
        return any(
            path.read_text().count("\n") >= count for path in user.output.glob(f"v{number}-*/logging.jsonl")
        )  # fmt: skip

    return logged


def wait_for(condition: Callable[[], bool], child: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def workers_of(command: "subprocess.Popen[str]") -> list[int]:
    """The processes that a command has spread its work over, in the order of their cards."""
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split()
    return [int(one) for one in children if b"cards.worker" in command_line(int(one))]


def command_line(process: int) -> bytes:
    """Empty once it has ended, which may be at any moment."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def wait_for_end(process: int) -> None:
    """Of a process that is no child of this one."""
    while command_line(process):
        time.sleep(0.01)


def heard(child: subprocess.Popen[str], words: str) -> str:
    """What it says on stderr, up to the line with these words, behind which it is silent until something happens.

    `communicate` returns the rest.
    """
    said = ""
    while words not in (line := child.stderr.readline()):
        assert line, said
        said += line
    return said + line


def needs(program: str, *arguments: str) -> None:
    """Skips where the program is missing or not permitted."""
    command = [program, *arguments, "true"]
    if shutil.which(program) is None or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip(f"needs root: {' '.join(command)}")
