"""Runs the code that a model wrote in a child process that can compute and do nothing else.

The child (`sandbox_child`) gives up every system call that it does not need to compute: after that it opens no file,
no socket and no process, as root or in a container too. It has limits on memory, processor time and output, an empty
environment and an empty folder of its own. It never sees what its calls should give: this process compares.
"""

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

CHILD = Path(__file__).with_name("sandbox_child.py")
WALL_SECONDS = 10  # the child's own limit is processor time
LONGEST_OUTPUT = 65_536  # bytes; the child's limit on a file's size too
MOST_AT_ONCE = 8
BLOCK = re.compile(r"```(?:python|py|python3)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
# Each must fail in a sandbox that holds, and the last line must work.
TRIALS = """
import os, sys
def trial(n):
    failed = 0
    for attempt in (
        lambda: open("/etc/passwd"), lambda: open("here", "w"), lambda: os.listdir("/"), lambda: os.fork(),
        lambda: os.kill(os.getppid(), 0), lambda: os.execv(sys.executable, [sys.executable]),
        lambda: os.mkdir("folder"), lambda: os.system("true"), lambda: os.chmod("/", 0),
    ):
        try:
            failed += attempt() not in (None, 0)
        except OSError:
            failed += 1
    try:
        import socket
        socket.socket()
    except (OSError, ImportError):
        failed += 1
    return failed
"""
TRIALS_COUNT = 10


class SandboxError(Exception):
    """The code gave no values: it failed, or it met a limit. One line."""


def solves(answer: str, function: str, calls: Sequence[Sequence[Any]], expected: Sequence[Any]) -> bool:
    """Whether the code in a model's answer gives the expected value for every call."""
    try:
        values = run_calls(code_of(answer, function), function, calls)
    except SandboxError:
        return False
    return len(values) == len(expected) and all(_equal(one, other) for one, other in zip(values, expected, strict=True))


def solve_all(tasks: Sequence[tuple[str, str, Sequence[Sequence[Any]], Sequence[Any]]]) -> list[bool]:
    """`solves` for each task, several at once: a child takes a tenth of a second to start."""
    with ThreadPoolExecutor(max_workers=min(MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda task: solves(*task), tasks))


def code_of(answer: str, function: str) -> str:
    """The first code block that defines the function, else the first one, also one that is cut off; else the answer."""
    blocks = [found[1] for found in BLOCK.finditer(answer)] or [answer]
    return next((one for one in blocks if re.search(rf"\bdef {function}\b", one)), blocks[0])


def run_calls(code: str, function: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
    """What the function gives for each list of arguments, as JSON values. Raises SandboxError."""
    question = json.dumps({"code": code, "function": function, "calls": calls}).encode()
    # A file and not a pipe: RLIMIT_FSIZE bounds it, and a child that writes without end fills no memory of ours.
    with TemporaryDirectory(prefix="code-") as folder, TemporaryFile() as output:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", str(CHILD)],
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.DEVNULL, cwd=folder, env={},
            start_new_session=True, close_fds=True,
        )  # fmt: skip
        try:
            child.communicate(question, timeout=WALL_SECONDS)
        except subprocess.TimeoutExpired:
            raise SandboxError(f"it takes more than {WALL_SECONDS} seconds") from None
        finally:
            child.kill()
            child.wait()
        output.seek(0)
        return _values(output.read(LONGEST_OUTPUT))


def _values(written: bytes) -> list[Any]:
    """What the child wrote; it may be anything, since the code runs in it."""
    try:
        found = json.loads(written)
        values = found["values"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SandboxError("it failed, or it met a limit") from None
    if not isinstance(values, list):
        raise SandboxError("it gave no list of values")
    return values


def _equal(one: Any, other: Any) -> bool:
    """Equal as JSON values; floats up to rounding, and True is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        try:
            return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
        except OverflowError:  # an integer beyond the range of floats
            return False
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return type(one) is type(other) and bool(one == other)


@cache
def sandbox_holds() -> bool:
    """Whether a child on this machine is refused what it must be refused, and computes; tried once a process."""
    try:
        return run_calls(TRIALS, "trial", [[1]]) == [TRIALS_COUNT]
    except (SandboxError, OSError):
        return False
