"""A finding of the doctor, and those that hold for every path: memory, results, the hub."""

import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from image.core.errors import first_line, root_cause
from image.core.lock import Lock
from image.core.project import GIB

SHM_BYTES = 1 * GIB
HUB, MODELSCOPE = "https://huggingface.co", "https://www.modelscope.cn"
# What a container may use of the host's memory: cgroup 2 and 1.
MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

State = Literal["ok", "note", "bad"]
Command = Callable[[list[str]], str | None]  # returns stdout, or None if the command is missing or fails


@dataclass(frozen=True, kw_only=True)
class Finding:
    state: State
    what: str
    why: str = ""
    remedy: str = ""


def stdout_of(arguments: list[str]) -> str | None:
    try:
        result = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout if result.returncode == 0 else None


def memory_bytes(limits: tuple[str, ...] = MEMORY_LIMITS) -> int:
    """The machine's memory, or the container's share of it."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in limits:
        with suppress(OSError, ValueError):  # no such version, or "max"
            found = min(found, int(Path(path).read_text(encoding="ascii")))
    return found


def check_memory(memory_bytes: int, lock: Lock | None) -> Finding:
    # Loading reads one shard at a time; a merge holds the whole model in memory.
    needed = 4 * GIB + (0 if lock is None else lock.total_bytes)
    what = f"memory: {memory_bytes / GIB:.0f} GiB, an export needs {needed / GIB:.0f}"
    if memory_bytes >= needed:
        return Finding(state="ok", what=what)
    why = "Training and comparing load onto the card, but `export --to merged` holds the model in memory."
    return Finding(state="note", what=what, why=why, remedy="Export on a larger machine, or publish only the adapter.")


def check_shared_memory() -> Finding:
    path = Path("/dev/shm")  # noqa: S108  # read, not written to
    if not path.is_dir():
        return Finding(state="note", what="shared memory: no /dev/shm on this host")
    free = shutil.disk_usage(path).free
    if free >= SHM_BYTES:
        return Finding(state="ok", what=f"shared memory: {free / GIB:.1f} GiB free")
    why = "Data loader processes pass rows through it and crash with a bus error when it is full."
    return Finding(state="note", what=f"shared memory: {free / GIB:.2f} GiB free", why=why, remedy="Free some memory.")


def check_output(output: Path) -> Finding:
    nearest = next(path for path in (output.resolve(), *output.resolve().parents) if path.exists())
    if not os.access(nearest, os.W_OK):
        owner = nearest.stat().st_uid
        return Finding(
            state="bad",
            what=f"results: {nearest} belongs to uid {owner}, you are uid {os.getuid()}",
            why="Runs are written there as your uid.",
            remedy=f'sudo chown -R "$(id -u):$(id -g)" {nearest}',
        )
    free = shutil.disk_usage(nearest).free
    if free < GIB:
        return Finding(
            state="bad", what=f"results: {free / GIB:.1f} GiB free in {nearest}", remedy="Free some disk space."
        )
    return Finding(state="ok", what=f"results: {nearest} is writable, {free / GIB:.0f} GiB free")


def check_hubs() -> list[Finding]:
    """Whether either hub answers; one of them will do."""
    hubs = (os.environ.get("HF_ENDPOINT") or HUB, os.environ.get("MODELSCOPE_ENDPOINT") or MODELSCOPE)
    failures = {endpoint: why for endpoint in hubs if (why := _no_answer(endpoint)) is not None}
    found = [Finding(state="ok", what=f"hub: {endpoint} answers") for endpoint in hubs if endpoint not in failures]
    state: State = "note" if found else "bad"
    for endpoint, why in failures.items():
        remedy = (
            "Use download --source modelscope, or set HF_ENDPOINT to a mirror." if endpoint == hubs[0]
            else "Use download without --source modelscope."
        )  # fmt: skip
        found.append(
            Finding(state=state, what=f"hub: {endpoint} does not answer ({why})", why="Only `download` needs it.",
                    remedy=remedy)
        )  # fmt: skip
    return found


def _no_answer(endpoint: str) -> str | None:
    try:
        with urllib.request.urlopen(endpoint, timeout=10):  # noqa: S310  # the user's own endpoint
            return None
    except urllib.error.HTTPError:
        return None  # an answer all the same
    except (OSError, ValueError) as error:
        return first_line(root_cause(error))
