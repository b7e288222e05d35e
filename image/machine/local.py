"""What the path without an engine needs: Python, torch for this driver, disks, memory, where pip and the hubs lead."""

import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from image.core.lock import Lock
from image.core.project import GIB, ROOT
from image.machine.card import Card, check_driver
from image.machine.finding import Command, Finding, State, check_memory, memory_bytes

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
LIBRARIES_BYTES = {True: 6 * GIB, False: 2.5 * GIB}  # .venv with CUDA and without, unpacked
# Where hosts of rented containers mount the disk that is meant for data; the toolkit looks there too.
DATA_DISKS = ("/root/autodl-tmp", "/hy-tmp", "/mnt/workspace", "/workspace")
STUDIO_PORT = 6006
VARIABLES = (
    "TOOLKIT_HOME", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "HF_ENDPOINT", "HF_HOME", "MODELSCOPE_ENDPOINT",
    "MODELSCOPE_CACHE", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY",
    "no_proxy",
)  # fmt: skip
OTHER_BUILD = (
    "Upgrade the driver, or take torch for an older CUDA from the index that pytorch.org gives for it: "
    "make clean setup TORCH=torch==VERSION+cu126 PIP_EXTRA_INDEX_URL=…"
)


def examine_local(lock: Lock | None, card: Card | None, command: Command, port: int = STUDIO_PORT) -> Iterator[Finding]:
    """Yields a finding for each; the current folder is the project's."""
    yield check_python(sys.version_info[:2])
    yield from check_torch(find_torch(Path(".venv")), card)
    yield from check_disks(Path.cwd(), lock, has_card=card is not None)
    yield check_memory(memory_bytes(), lock)
    yield check_port(port)
    yield from check_network(command)


def check_python(version: tuple[int, int]) -> Finding:
    what = f"Python: {version[0]}.{version[1]}"
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        return Finding(state="ok", what=what)
    return Finding(
        state="bad", what=what, why="The locked requirements are for 3.11 to 3.13.",
        remedy="Install one of these, and name it: make setup PYTHON=python3.12.",
    )  # fmt: skip


def find_torch(environment: Path) -> tuple[str, str] | None:
    """The version and the CUDA major of the torch in a virtual environment, "" for a CPU build; None without one."""
    for path in environment.glob("lib/python3*/site-packages/torch/version.py"):
        text = path.read_text(encoding="utf-8")
        version = re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE)
        cuda = re.search(r"^cuda[^=]*= '(\d+)", text, re.MULTILINE)
        if version is not None:
            return version[1], cuda[1] if cuda else ""
    return None


def check_torch(found: tuple[str, str] | None, card: Card | None) -> Iterator[Finding]:
    """Of what is installed, or of what `make setup` would install, against the card and its driver."""
    if found is None:
        yield Finding(
            state="note", what="torch: not installed yet", why="Every command but doctor needs .venv.",
            remedy="make setup; any other target runs it by itself.",
        )  # fmt: skip
    version, cuda = found or (_locked_torch(), _locked_cuda() if card else "")
    build = f"CUDA {cuda}" if cuda else "the CPU"
    if found is not None and card is not None and not cuda:
        yield Finding(
            state="bad", what=f"torch: {version}, for {build}", why="It does not see the card that is here.",
            remedy="make clean setup",
        )  # fmt: skip
    elif found is not None:
        yield Finding(state="ok", what=f"torch: {version}, for {build}")
    if card is not None and cuda:
        yield check_driver(card, cuda, OTHER_BUILD)


def _locked_torch() -> str:
    return _locked(r"^torch==([^ \\]+)")


def _locked_cuda() -> str:
    """The CUDA major of the torch that `make setup` takes for a card."""
    return _locked(r"^nvidia-cuda-runtime==(\d+)")


def _locked(pattern: str) -> str:
    found = re.search(pattern, (ROOT / "requirements/torch-cuda.txt").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


def check_disks(
    folder: Path, lock: Lock | None, *, has_card: bool, data_disks: tuple[str, ...] = DATA_DISKS
) -> Iterator[Finding]:
    """The disk of `folder`, and apart from it a data disk: weights, a merge and runs may go there."""
    installed = (folder / ".venv/.ready").is_file()
    libraries = 0 if installed else LIBRARIES_BYTES[has_card]
    weights = 0 if lock is None else lock.total_bytes
    disk = _data_disk(folder, data_disks)
    yield _check_disk("disk", folder, libraries + (0 if disk else weights), ".venv" if disk else "", installed)
    if disk is not None:
        yield _check_disk("data disk", disk, weights, "models and runs", installed)


def _check_disk(name: str, folder: Path, needed: float, holds: str, installed: bool) -> Finding:
    usage = shutil.disk_usage(folder)
    purpose = holds or ("weights" if installed else "libraries and weights")
    what = (
        f"{name}: {usage.free / GIB:.0f} of {usage.total / GIB:.0f} GiB free in {folder}, "
        f"{purpose} need {needed / GIB:.0f}"
    )
    if usage.free >= needed:
        return Finding(state="ok", what=what)
    state: State = "note" if installed else "bad"  # the weights may be elsewhere
    return Finding(
        state=state, what=what, why="A merged copy (export --to merged) needs the weights' size once more.",
        remedy="Free some space, clone the project onto a larger disk, or name one for models and runs: TOOLKIT_HOME.",
    )  # fmt: skip


def _data_disk(folder: Path, known: tuple[str, ...]) -> Path | None:
    named = os.environ.get("TOOLKIT_HOME")
    candidates = [Path(named).expanduser()] if named else [Path(path) for path in known]
    device = folder.stat().st_dev
    return next((path for path in candidates if path.is_dir() and path.stat().st_dev != device), None)


def check_port(port: int) -> Finding:
    """Whether `make studio` can listen; hosts of rented containers lead one port to the outside, mostly 6006."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return Finding(
                state="note", what=f"port: {port} is in use", why="`make studio` listens there.",
                remedy=f"End what uses it (TensorBoard, on some hosts), or take another: make studio PORT={port + 1}.",
            )  # fmt: skip
    return Finding(
        state="ok",
        what=f"port: {port} is free for `make studio`; from your own machine: ssh -L {port}:127.0.0.1:{port} …",
    )


def check_network(command: Command) -> Iterator[Finding]:
    """Where pip and the hubs lead, without passwords: nothing is wrong with it, but it explains what is slow."""
    configured = command([sys.executable, "-m", "pip", "config", "list"]) or ""
    for line in configured.splitlines():
        name, _, value = line.partition("=")
        if name.rpartition(".")[2] in {"index-url", "extra-index-url", "proxy"} and not name.startswith(":env:"):
            yield Finding(state="ok", what=f"pip: {name.rpartition('.')[2]} {without_password(value.strip(chr(39)))}")
    for name in VARIABLES:
        if set_to := os.environ.get(name):
            yield Finding(state="ok", what=f"{name}: {without_password(set_to)}")


def without_password(text: str) -> str:
    """Addresses, separated by spaces, with *** for the user and the password in them."""
    return " ".join(map(_masked, text.split()))


def _masked(address: str) -> str:
    try:
        where = urlsplit(address if "://" in address else f"//{address}").netloc
    except ValueError:
        return "***"
    secret, mark, _ = where.rpartition("@")
    return address.replace(f"{secret}@", "***@", 1) if mark else address
