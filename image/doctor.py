"""The use case `doctor`: checks whether this host can build and run the image. Changes nothing."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from image.build.build import default_base_image
from image.core.errors import ConfigError, EngineError
from image.core.lock import Lock
from image.core.project import GIB, NO_MODEL, find_lock
from image.engine import EngineInfo, connect
from image.machine.card import Card, check_card, check_driver, find_card
from image.machine.finding import (
    Command,
    Finding,
    check_hubs,
    check_memory,
    check_output,
    check_shared_memory,
    stdout_of,
)
from image.machine.local import examine_local

OLDEST_ENGINE, OLDEST_BUILDX = (25, 0), (0, 13)  # containerd image store; rewrite-timestamp
LIBRARIES_BYTES = 9 * GIB  # torch, its CUDA libraries and the rest, unpacked
Runtime = Literal["docker", "local"]


def examine(
    model: str, output: Path, *, runtime: Runtime = "docker", online: bool = False, command: Command | None = None
) -> Iterator[Finding]:
    """Yields a finding for each thing that a build or a run needs. Raises ConfigError for an unknown model.

    `runtime` local: without an engine, in .venv.
    """
    command = command or stdout_of
    lock = None if model == NO_MODEL else find_lock(model)
    card = find_card(command)
    if runtime == "local":
        yield from examine_local(lock, card, command)
    else:
        yield from _examine_engine(lock, card, command)
    yield check_card(card, lock)
    yield check_shared_memory()
    yield check_output(output)
    if online:
        yield from check_hubs()


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
        yield check_memory(info.memory_bytes, lock)
    yield _check_buildx(command)
    if card is not None:
        yield _check_gpu_runtime(info)
        yield check_driver(card, _image_cuda())


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


def _check_gpu_runtime(info: EngineInfo | None) -> Finding:
    if info is not None and ("nvidia" in info.runtimes or shutil.which("nvidia-ctk")):
        return Finding(state="ok", what="GPU runtime: NVIDIA Container Toolkit")
    return Finding(
        state="bad",
        what="GPU runtime: not installed",
        why="The engine cannot give the card to a container.",
        remedy="Install nvidia-container-toolkit; sudo nvidia-ctk runtime configure --runtime=docker; restart Docker.",
    )


def _image_cuda() -> str:
    """The CUDA major of the image's base."""
    found = re.search(r":(\d+)\.", default_base_image())
    return found[1] if found else ""
