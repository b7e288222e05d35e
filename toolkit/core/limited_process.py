"""Runs what others wrote — chat templates, regular expressions — in a child process with limits.

A child is started by the first question, answers in a tenth of a millisecond, and ends with this process.
"""

import json
import os
import select
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from toolkit.core.limited_child import LONGEST_ANSWER, SECONDS

PROGRAM = Path(__file__).with_name("limited_child.py")
READ_BYTES = 65_536
LONGEST_LINE = 6 * LONGEST_ANSWER + 1000  # bytes; JSON writes a character as up to six


class RefusedError(Exception):
    """What was asked is not answered: it takes too long or too much memory, or its own error. One line."""


class LimitedProcess:
    """A child process that answers one question at a time; a killed one is replaced at the next question."""

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds, self._lock = seconds, Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def ask(self, task: str, *, within_s: float | None = None, **values: Any) -> Any:
        """The answer of this task of `toolkit.core.limited_child`. Raises RefusedError."""
        seconds = within_s or self._seconds
        line = json.dumps({"task": task, **values}).encode() + b"\n"
        with self._lock:
            child = self._started()
            answer = self._answer(child, line, seconds)
            if not answer.endswith(b"\n"):
                self._end(child)
                raise RefusedError(f"it takes more than {seconds:g} seconds, or too much memory")
        found = json.loads(answer)
        if "answer" not in found:
            raise RefusedError(" ".join(found["refused"].split()))
        return found["answer"]

    def _answer(self, child: "subprocess.Popen[bytes]", line: bytes, seconds: float) -> bytes:
        """The line that the child answers; cut off or empty if it was killed, or is too late or too long."""
        assert child.stdin is not None  # both are pipes
        assert child.stdout is not None
        deadline, answer = time.monotonic() + seconds, bytearray()
        ready = select.poll()
        ready.register(child.stdout, select.POLLIN)
        try:
            child.stdin.write(line)  # the child reads all of it before it runs anything of others
            child.stdin.flush()
            while not answer.endswith(b"\n") and len(answer) < LONGEST_LINE:
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not ready.poll(left_s * 1000):
                    return b""
                part = os.read(child.stdout.fileno(), READ_BYTES)
                if not part:
                    return b""
                answer += part
        except OSError:
            return b""
        except BaseException:  # Ctrl-C: a late answer must not be taken for that of the next question
            self._end(child)
            raise
        return bytes(answer)

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._child is None or self._child.poll() is not None:
            self._child = subprocess.Popen(  # our own program, with this interpreter
                [sys.executable, "-I", str(PROGRAM)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env={}, start_new_session=True,  # no secrets to read, and Ctrl-C is ours
            )  # fmt: skip
        return self._child

    def _end(self, child: "subprocess.Popen[bytes]") -> None:
        child.kill()
        child.wait()


@cache
def limited_process() -> LimitedProcess:
    """The one of this process."""
    return LimitedProcess()
