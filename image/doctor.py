"""The use case `doctor`: checks whether this host can build and run the image. Changes nothing."""

import csv
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from image.build.build import default_base_image
from image.core.errors import ConfigError, EngineError, first_line, root_cause
from image.core.lock import Lock
from image.core.project import GIB, NO_MODEL, SMALL_MODEL_BYTES, card_bytes, find_lock
from image.engine import EngineInfo, connect

OLDEST_ENGINE, OLDEST_BUILDX = (25, 0), (0, 13)  # containerd image store; rewrite-timestamp
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
LIBRARIES_BYTES = 9 * GIB  # torch, its CUDA libraries and the rest, unpacked
SHM_BYTES = 1 * GIB
# The oldest driver for each CUDA major: https://docs.nvidia.com/cuda/cuda-toolkit-release-notes.
OLDEST_DRIVER = {"12": 525, "13": 580}
CARD_FIELDS = ("name", "driver_version", "memory.free", "memory.total")
HUB = "https://huggingface.co"

State = Literal["ok", "note", "bad"]
Runtime = Literal["docker", "local"]
Command = Callable[[list[str]], str | None]  # returns stdout, or None if the command is missing or fails


@dataclass(frozen=True, kw_only=True)
class Finding:
    state: State
    what: str
    why: str = ""
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Card:
    name: str
    driver: str
    free_bytes: int
    total_bytes: int


def examine(
    model: str, output: Path, *, runtime: Runtime = "docker", online: bool = False, command: Command | None = None
) -> Iterator[Finding]:
    """Yields a finding for each thing that a build or a run needs. Raises ConfigError for an unknown model.

    `runtime` local: without an engine, in .venv.
    """
    command = command or _stdout
    lock = None if model == NO_MODEL else find_lock(model)
    card = find_card(command)
    yield from _examine_host(lock) if runtime == "local" else _examine_engine(lock, card, command)
    yield _check_card(card, lock)
    if card is not None:
        yield _check_driver(card)
    yield _check_shared_memory()
    yield _check_output(output)
    if online:
        yield _check_hub()


def _examine_host(lock: Lock | None) -> Iterator[Finding]:
    yield _check_python(sys.version_info[:2])
    yield _check_free_space(Path.cwd(), lock)
    yield _check_memory(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), lock)


def _examine_engine(lock: Lock | None, card: Card | None, command: Command) -> Iterator[Finding]:
    try:
        info: EngineInfo | None = connect().info()
    except (EngineError, ConfigError) as error:
        info = None
        yield Finding(
            state="bad",
            what=error.what,
            why="Everything but RUNTIME=local needs it.",
            remedy=f"{error.next} Without Docker: make doctor RUNTIME=local.",
        )
    if info is not None:
        yield _check_engine(info)
        yield _check_store(info)
        yield _check_disk(info, lock)
        yield _check_memory(info.memory_bytes, lock)
    yield _check_buildx(command)
    if card is not None:
        yield _check_gpu_runtime(info)


def _check_python(version: tuple[int, int]) -> Finding:
    what = f"Python: {version[0]}.{version[1]}"
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        return Finding(state="ok", what=what)
    return Finding(
        state="bad", what=what, why="The locked requirements are for 3.11 to 3.13.",
        remedy="Install one of these, and name it: make setup PYTHON=python3.12.",
    )  # fmt: skip


def _check_free_space(folder: Path, lock: Lock | None) -> Finding:
    needed = LIBRARIES_BYTES + (0 if lock is None else lock.total_bytes)
    free = shutil.disk_usage(folder).free
    what = f"disk: {free / GIB:.0f} GiB free in {folder}, libraries and weights need {needed / GIB:.0f}"
    if free >= needed:
        return Finding(state="ok", what=what)
    state: State = "note" if (folder / ".venv/.ready").is_file() else "bad"  # then the libraries are there
    return Finding(
        state=state, what=what, why=".venv and models/ are in this folder.", remedy="Free some disk space."
    )  # fmt: skip


def _check_engine(info: EngineInfo) -> Finding:
    return _check_minimum_version("engine", info.version, OLDEST_ENGINE, "Older versions change an image's digest.")


def _check_buildx(command: Command) -> Finding:
    answer = command(["docker", "buildx", "version"])
    if answer is None:
        return Finding(
            state="bad",
            what="buildx: not installed",
            why="Only BuildKit can build this Dockerfile.",
            remedy="Install docker-buildx from your distribution, or docker-buildx-plugin from Docker.",
        )
    found = re.search(r"v?(\d+\.\d+[\w.+]*)", answer.partition(" ")[2])
    return _check_minimum_version(
        "buildx", found[1] if found else "", OLDEST_BUILDX, "Older versions cannot rewrite timestamps."
    )


def _check_minimum_version(name: str, version: str, oldest: tuple[int, int], why: str) -> Finding:
    parts = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if parts >= oldest:
        return Finding(state="ok", what=f"{name}: {version}")
    needed = ".".join(map(str, oldest))
    return Finding(
        state="bad", what=f"{name}: {version}; at least {needed} is needed", why=why, remedy="Upgrade Docker."
    )


def _check_store(info: EngineInfo) -> Finding:
    if info.containerd_store:
        return Finding(state="ok", what="image store: containerd")
    return Finding(
        state="note",
        what="image store: overlay2",
        why="A push then compresses the weights again, and the pushed image has another digest than the built one.",
        remedy='Add {"features": {"containerd-snapshotter": true}} to /etc/docker/daemon.json and restart Docker.',
    )


def _check_disk(info: EngineInfo, lock: Lock | None) -> Finding:
    weights = 0 if lock is None else lock.total_bytes
    # The build cache and the loaded image each hold weights and libraries.
    needed = 2 * weights + 2 * LIBRARIES_BYTES
    try:
        free = shutil.disk_usage(info.storage).free
    except OSError:
        return Finding(state="note", what=f"disk: {info.storage} is on another machine and was not checked")
    what = f"disk: {free / GIB:.0f} GiB free in {info.storage}, a build needs {needed / GIB:.0f}"
    if free >= needed:
        return Finding(state="ok", what=what)
    why = "Weights and libraries are stored twice: in the build cache and in the image."
    return Finding(
        state="bad", what=what, why=why, remedy="docker system df; docker builder prune; docker image prune."
    )


def _check_memory(memory_bytes: int, lock: Lock | None) -> Finding:
    # Loading reads one shard at a time; a merge holds the whole model in memory.
    needed = 4 * GIB + (0 if lock is None else lock.total_bytes)
    what = f"memory: {memory_bytes / GIB:.0f} GiB, an export needs {needed / GIB:.0f}"
    if memory_bytes >= needed:
        return Finding(state="ok", what=what)
    why = "Training and comparing load onto the card, but `export --to merged` holds the model in memory."
    return Finding(state="note", what=what, why=why, remedy="Export on a larger machine, or publish only the adapter.")


def find_card(command: Command) -> Card | None:
    """The card with the most free memory according to nvidia-smi; None without a card or a driver."""
    answer = command(["nvidia-smi", f"--query-gpu={','.join(CARD_FIELDS)}", "--format=csv,noheader,nounits"])
    rows = [
        row for row in csv.reader((answer or "").splitlines(), skipinitialspace=True) if len(row) == len(CARD_FIELDS)
    ]
    cards = [
        Card(name=name, driver=driver, free_bytes=int(free) * 1024**2, total_bytes=int(total) * 1024**2)
        for name, driver, free, total in rows
        if free.isdigit() and total.isdigit()
    ]
    return max(cards, key=lambda card: card.free_bytes, default=None)


def _check_card(card: Card | None, lock: Lock | None) -> Finding:
    weights = 0 if lock is None else lock.total_bytes
    needed, small = card_bytes(weights), weights <= SMALL_MODEL_BYTES
    if card is None:
        return Finding(
            state="note" if small else "bad",
            what="card: none, or no NVIDIA driver (nvidia-smi does not answer)",
            why="The embedded model needs none." if small else f"The model needs one with {needed / GIB:.0f} GiB.",
            remedy="Install NVIDIA's driver on the host; CUDA itself is not needed there.",
        )
    what = f"card: {card.name}, {card.free_bytes / GIB:.1f} of {card.total_bytes / GIB:.1f} GiB free"
    if card.free_bytes >= needed * 0.95:  # "24 GB" cards have 23.6 to 24 GiB
        return Finding(state="ok", what=what)
    why = f"Training needs up to {needed / GIB:.0f} GiB."
    return Finding(state="bad", what=what, why=why, remedy="See what uses it (nvidia-smi), or use a larger card.")


def _check_driver(card: Card) -> Finding:
    found = re.search(r":(\d+)\.", default_base_image())
    major = found[1] if found else ""
    oldest = OLDEST_DRIVER.get(major, 0)
    what = f"driver: {card.driver}, CUDA {major} needs {oldest} or newer"
    if int(card.driver.partition(".")[0]) >= oldest:
        return Finding(state="ok", what=what)
    return Finding(state="bad", what=what, why="torch would not find the card.", remedy="Upgrade the driver.")


def _check_gpu_runtime(info: EngineInfo | None) -> Finding:
    if info is not None and ("nvidia" in info.runtimes or shutil.which("nvidia-ctk")):
        return Finding(state="ok", what="GPU runtime: NVIDIA Container Toolkit")
    return Finding(
        state="bad",
        what="GPU runtime: not installed",
        why="The engine cannot give the card to a container.",
        remedy="Install nvidia-container-toolkit; sudo nvidia-ctk runtime configure --runtime=docker; restart Docker.",
    )


def _check_shared_memory() -> Finding:
    path = Path("/dev/shm")  # noqa: S108  # read, not written to
    if not path.is_dir():
        return Finding(state="note", what="shared memory: no /dev/shm on this host")
    free = shutil.disk_usage(path).free
    if free >= SHM_BYTES:
        return Finding(state="ok", what=f"shared memory: {free / GIB:.1f} GiB free")
    why = "Data loader processes pass rows through it and crash with a bus error when it is full."
    return Finding(state="note", what=f"shared memory: {free / GIB:.2f} GiB free", why=why, remedy="Free some memory.")


def _check_output(output: Path) -> Finding:
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


def _check_hub() -> Finding:
    endpoint = os.environ.get("HF_ENDPOINT", HUB)
    try:
        with urllib.request.urlopen(endpoint, timeout=10):  # noqa: S310  # the user's own endpoint
            return Finding(state="ok", what=f"hub: {endpoint} answers")
    except urllib.error.HTTPError as error:
        return Finding(state="ok", what=f"hub: {endpoint} answers ({error.code})")
    except (OSError, ValueError) as error:
        why = "Only `download` needs it."
        return Finding(
            state="bad", what=f"hub: {endpoint} does not answer ({first_line(root_cause(error))})", why=why,
            remedy="Set HF_ENDPOINT to a mirror, or use download --source modelscope.",
        )  # fmt: skip


def _stdout(arguments: list[str]) -> str | None:
    try:
        result = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout if result.returncode == 0 else None
