"""The use case `doctor`: this host examined before it disappoints; every fault with its reason and its remedy."""

import csv
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from image.build.build import default_base_image
from image.core.errors import EngineError
from image.core.lock import Lock
from image.core.project import GIB, NO_MODEL, SMALL_MODEL_BYTES, card_bytes, find_lock
from image.engine import EngineInfo, connect

OLDEST_ENGINE, OLDEST_BUILDX = (25, 0), (0, 13)  # the containerd store's digests; rewrite-timestamp
LIBRARIES_BYTES = 9 * GIB  # torch with its CUDA libraries, and the rest, unpacked
SHM_BYTES = 1 * GIB
# https://docs.nvidia.com/cuda/cuda-toolkit-release-notes: the oldest driver for each CUDA major.
OLDEST_DRIVER = {"12": 525, "13": 580}
CARD_FIELDS = ("name", "driver_version", "memory.free", "memory.total")
HUB = "https://huggingface.co"

State = Literal["ok", "note", "bad"]
Command = Callable[[list[str]], str | None]  # stdout, or None where it is not there or failed


@dataclass(frozen=True, kw_only=True)
class Finding:
    state: State
    what: str
    why: str = ""
    mend: str = ""


@dataclass(frozen=True, kw_only=True)
class Card:
    name: str
    driver: str
    free_bytes: int
    total_bytes: int


def examine(model: str, output: Path, *, online: bool = False, ask: "Command | None" = None) -> Iterator[Finding]:
    """Everything that a build or a run needs, one finding each."""
    command = ask or _stdout
    lock = None if model == NO_MODEL else find_lock(model)
    try:
        info: EngineInfo | None = connect().info()
    except EngineError as error:
        info = None
        yield Finding(state="bad", what=error.what, why="Every target but RUNTIME=local needs it.", mend=error.next)
    if info is not None:
        yield _engine(info)
        yield _store(info)
        yield _disk(info, lock)
        yield _memory(info, lock)
    yield _buildx(command)
    card = read_card(command)
    yield _card(card, lock)
    if card is not None:
        yield _driver(card)
        yield _gpu_runtime(info)
    yield _shm()
    yield _output(output)
    if online:
        yield _hub()


def _engine(info: EngineInfo) -> Finding:
    return _versioned("engine", info.version, OLDEST_ENGINE, "Older ones change an image's digest on the way.")


def _buildx(command: Command) -> Finding:
    told = command(["docker", "buildx", "version"])
    if told is None:
        return Finding(
            state="bad",
            what="buildx: not there",
            why="Only BuildKit builds this Dockerfile.",
            mend="Install your distribution's docker-buildx, or docker-buildx-plugin.",
        )
    found = re.search(r"v?(\d+\.\d+[\w.+]*)", told.partition(" ")[2])
    return _versioned("buildx", found[1] if found else "", OLDEST_BUILDX, "Older ones cannot rewrite timestamps.")


def _versioned(name: str, version: str, oldest: tuple[int, int], why: str) -> Finding:
    parts = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if parts >= oldest:
        return Finding(state="ok", what=f"{name}: {version}")
    needed = ".".join(map(str, oldest))
    return Finding(state="bad", what=f"{name}: {version}, {needed} is needed", why=why, mend="Upgrade Docker.")


def _store(info: EngineInfo) -> Finding:
    if info.containerd_store:
        return Finding(state="ok", what="image store: containerd")
    return Finding(
        state="note",
        what="image store: overlay2",
        why="A pushed image then has another digest than the built one, and a push compresses weights anew.",
        mend='Put {"features": {"containerd-snapshotter": true}} into /etc/docker/daemon.json and restart Docker.',
    )


def _disk(info: EngineInfo, lock: Lock | None) -> Finding:
    weights = 0 if lock is None else lock.total_bytes
    # The build's cache and the loaded image each hold both, packed and unpacked.
    needed = 2 * weights + 2 * LIBRARIES_BYTES
    try:
        free = shutil.disk_usage(info.storage).free
    except OSError:
        return Finding(state="note", what=f"disk: {info.storage} is on another machine, not looked at")
    told = f"disk: {free / GIB:.0f} GiB free in {info.storage}, a build takes {needed / GIB:.0f}"
    if free >= needed:
        return Finding(state="ok", what=told)
    why = "Weights and libraries lie there twice: in the build's cache and in the image."
    return Finding(state="bad", what=told, why=why, mend="docker system df; docker builder prune; docker image prune.")


def _memory(info: EngineInfo, lock: Lock | None) -> Finding:
    # A shard at a time is read; a merge holds the whole model in memory.
    needed = 4 * GIB + (0 if lock is None else lock.total_bytes)
    told = f"memory: {info.memory_bytes / GIB:.0f} GiB, export takes {needed / GIB:.0f}"
    if info.memory_bytes >= needed:
        return Finding(state="ok", what=told)
    why = "Training and comparing load onto the card; `export --to merged` holds the model in memory."
    return Finding(state="note", what=told, why=why, mend="Export on a larger machine, or publish the adapter alone.")


def read_card(command: Command) -> Card | None:
    """The card with the most free memory, as the driver tells; None where there is no driver."""
    told = command(["nvidia-smi", f"--query-gpu={','.join(CARD_FIELDS)}", "--format=csv,noheader,nounits"])
    rows = [row for row in csv.reader((told or "").splitlines(), skipinitialspace=True) if len(row) == len(CARD_FIELDS)]
    cards = [
        Card(name=name, driver=driver, free_bytes=int(free) * 1024**2, total_bytes=int(total) * 1024**2)
        for name, driver, free, total in rows
        if free.isdigit() and total.isdigit()
    ]
    return max(cards, key=lambda card: card.free_bytes, default=None)


def _card(card: Card | None, lock: Lock | None) -> Finding:
    weights = 0 if lock is None else lock.total_bytes
    needed, small = card_bytes(weights), weights <= SMALL_MODEL_BYTES
    if card is None:
        return Finding(
            state="note" if small else "bad",
            what="card: none, or no NVIDIA driver (nvidia-smi does not answer)",
            why="The embedded model runs without one." if small else f"The model needs one of {needed / GIB:.0f} GiB.",
            mend="Install NVIDIA's driver on the host; nothing of CUDA is needed there.",
        )
    told = f"card: {card.name}, {card.free_bytes / GIB:.1f} of {card.total_bytes / GIB:.1f} GiB free"
    if card.free_bytes >= needed * 0.95:  # cards of "24 GB" have 23.6 to 24 GiB
        return Finding(state="ok", what=told)
    why = f"Training takes up to {needed / GIB:.0f} GiB."
    return Finding(state="bad", what=told, why=why, mend="See who uses it: nvidia-smi; or take a larger card.")


def _driver(card: Card) -> Finding:
    found = re.search(r":(\d+)\.", default_base_image())
    major = found[1] if found else ""
    oldest = OLDEST_DRIVER.get(major, 0)
    told = f"driver: {card.driver}, the image's CUDA {major} takes {oldest} or newer"
    if int(card.driver.partition(".")[0]) >= oldest:
        return Finding(state="ok", what=told)
    return Finding(state="bad", what=told, why="The image's torch would find no card.", mend="Upgrade the driver.")


def _gpu_runtime(info: EngineInfo | None) -> Finding:
    if info is not None and ("nvidia" in info.runtimes or shutil.which("nvidia-ctk")):
        return Finding(state="ok", what="GPU runtime: NVIDIA Container Toolkit")
    return Finding(
        state="bad",
        what="GPU runtime: not there",
        why="The engine cannot hand the card to a container.",
        mend="Install nvidia-container-toolkit; sudo nvidia-ctk runtime configure --runtime=docker; restart Docker.",
    )


def _shm() -> Finding:
    path = Path("/dev/shm")  # noqa: S108  # looked at, not written to
    if not path.is_dir():
        return Finding(state="note", what="shared memory: no /dev/shm on this host")
    free = shutil.disk_usage(path).free
    if free >= SHM_BYTES:
        return Finding(
            state="ok", what=f"shared memory: {free / GIB:.1f} GiB; `run` gives a container 2 GiB of its own"
        )
    why = "Loader processes hand rows over through it, and die of a bus error when it is full."
    return Finding(state="note", what=f"shared memory: {free / GIB:.2f} GiB free", why=why, mend="Free some memory.")


def _output(output: Path) -> Finding:
    nearest = next(path for path in (output.resolve(), *output.resolve().parents) if path.exists())
    if not os.access(nearest, os.W_OK):
        owner = nearest.stat().st_uid
        return Finding(
            state="bad",
            what=f"results: {nearest} belongs to uid {owner}, you are {os.getuid()}",
            why="A container runs under your uid, and could not write there.",
            mend=f'sudo chown -R "$(id -u):$(id -g)" {nearest}',
        )
    free = shutil.disk_usage(nearest).free
    if free < GIB:
        return Finding(state="bad", what=f"results: {free / GIB:.1f} GiB free in {nearest}", mend="Make room.")
    return Finding(state="ok", what=f"results: {nearest} is yours to write to, {free / GIB:.0f} GiB free")


def _hub() -> Finding:
    endpoint = os.environ.get("HF_ENDPOINT", HUB)
    try:
        with urllib.request.urlopen(endpoint, timeout=10):  # noqa: S310  # the user's own endpoint
            return Finding(state="ok", what=f"hub: {endpoint} answers")
    except urllib.error.HTTPError as error:
        return Finding(state="ok", what=f"hub: {endpoint} answers ({error.code})")
    except (OSError, ValueError) as error:
        why = "Only `download` needs it."
        return Finding(
            state="bad", what=f"hub: {endpoint} does not answer ({getattr(error, 'reason', error)})", why=why,
            mend="Name a mirror: HF_ENDPOINT=URL; or download --source modelscope.",
        )  # fmt: skip


def _stdout(arguments: list[str]) -> str | None:
    try:
        told = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout if told.returncode == 0 else None
