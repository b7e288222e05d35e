"""The `toolkit` command as tests run it: as a process of its own, or within the test's process."""

import io
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from toolkit.__main__ import main

PATIENCE_S = 600  # of a machine that does other things too; what ends by itself ends the wait
ROOT = Path(__file__).parents[2]
DATA = ROOT / "data"
TOOLKIT = Path(sys.executable).with_name("toolkit")
# Where the project is found by PYTHONPATH, nothing is installed beside the interpreter.
COMMAND = [str(TOOLKIT)] if TOOLKIT.exists() else [sys.executable, "-m", "toolkit"]
KEPT = ("PATH", "PYTHONPATH", "LANG", "TMPDIR")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended: its exit code, its two streams, and how long it took."""

    code: int
    out: str
    err: str
    seconds: float


def bare_environment(home: Path, **added: str) -> dict[str, str]:
    """The environment of a user whose home is `home`: nothing of the caller's but what starting a process needs."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "HOME": str(home), "TOOLKIT_WARM": "off", **added}


class Shell:
    """A user's shell in the folder `home`: the commands are processes of their own, and `echo` hears each of them."""

    def __init__(self, home: Path, echo: Callable[[str], None] = lambda _: None, **environment: str) -> None:
        self.home, self.echo = home, echo
        self.environment = bare_environment(home, TOOLKIT_DATA=str(DATA), OMP_NUM_THREADS="1", **environment)

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        command = list(map(str, arguments))
        self.echo(f"$ {shlex.join(command)}")
        return subprocess.Popen(
            [*COMMAND, *command[1:]] if command[0] == "toolkit" else command, cwd=self.home, env=self.environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: object, stdin: str = "") -> Ended:
        started = time.monotonic()
        child = self.start(*arguments)
        try:
            out, err = child.communicate(stdin)
        finally:
            child.kill()
        return Ended(code=child.returncode, out=out, err=err, seconds=time.monotonic() - started)


def run_here(*arguments: object, stdin: str = "", environment: Mapping[str, str] | None = None) -> Ended:
    """Runs the command in this process: its libraries are imported once for all tests."""
    out, err = io.StringIO(), io.StringIO()
    started = time.monotonic()
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        patch("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()))),
        patch.dict(os.environ, environment or {}),
    ):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as left:
            code = int(left.code or 0)
    return Ended(code=code, out=out.getvalue(), err=err.getvalue(), seconds=time.monotonic() - started)


def told(ended: Ended, code: int, *words: str) -> None:
    """Nothing on stdout, one error on stderr behind the talk, with these words, and no traceback."""
    assert (ended.code, ended.out) == (code, ""), ended.err
    errors = [line for line in ended.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, ended.err
    assert "Traceback" not in ended.err
    for word in words:
        assert word in errors[0]
