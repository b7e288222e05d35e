"""Where a known base model lies on this disk, and how to wait for one that another process is downloading.

The download holds the lock of `<folder>.partial` until the folder is complete or it gives up (toolkit.model.download).
The kernel keeps that lock, so it is seen from a container that has the folder mounted, and ends with the process.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from toolkit.core import environment
from toolkit.core.files import MODELS, data_folder, is_locked
from toolkit.model.lock import DEFAULT_MODEL, Lock, called, known_locks, models_folder, read_lock

POLL_S = 0.05


def places_of(lock: Lock) -> list[Path]:
    """The folders in which the model is looked for, one after the other."""
    folder = lock.folder or lock.name
    downloaded = dict.fromkeys([Path(MODELS) / folder, models_folder() / folder])
    return [Path(folder), *downloaded, Path("/root") / folder, data_folder() / lock.name]


def partial_folder(target: Path) -> Path:
    """Where the files of a folder gather that is not there yet."""
    return target.with_name(f"{target.name}.partial")


def wait_for(places: Sequence[Path], meanwhile: Callable[[], None] | None = None) -> float:
    """Waits while the model arrives in one of these folders, unless another has it; returns for how long, in seconds.

    `meanwhile` is called first, and only if there is something to wait for.
    """
    if not any(map(_is_arriving, places)) or any(place.is_dir() for place in places):
        return 0.0
    began = time.perf_counter()
    if meanwhile is not None:
        meanwhile()
    while any(map(_is_arriving, places)):
        time.sleep(POLL_S)
    return time.perf_counter() - began


def wait_for_base_model(name: str | None, meanwhile: Callable[[], None]) -> float:
    """As `wait_for`, for a known model or the default one. What is wrong with it, `find_base_model` says later."""
    known = called(name or environment.base_model() or DEFAULT_MODEL)
    return 0.0 if known is None else wait_for(places_of(read_lock(known_locks()[known])), meanwhile)


def _is_arriving(place: Path) -> bool:
    """Whether a download to this folder, which is not there yet, is in progress."""
    return is_locked(partial_folder(place)) and not place.is_dir()
