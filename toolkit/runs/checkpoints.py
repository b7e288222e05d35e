"""Whether a checkpoint can be resumed from: digests are written when it is complete, and compared before it is used."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from toolkit.core.documents import read_regular_json
from toolkit.core.errors import ConfigError
from toolkit.core.files import file_sha256, write_json
from toolkit.runs.layout import (
    ADAPTER_CONFIG,
    ADAPTER_FILE,
    CHECKPOINT,
    CHECKPOINT_DIGESTS,
    TRAINER_STATE,
    checkpoint_step,
)

ARCHIVES = ("optimizer.pt", "scheduler.pt", "rng_state.pth")  # of torch: ZIP archives
RESUMED_FROM = (ADAPTER_FILE, TRAINER_STATE, *ARCHIVES)
ASIDE = "damaged-"
MAX_HEADER_BYTES = 100_000_000  # as the format limits it


def write_digests(checkpoint: Path) -> None:
    """Records the sha256 of each file that a training resumes from, once all of them are written. Raises OSError."""
    found = [name for name in RESUMED_FROM if (checkpoint / name).is_file()]
    write_json(checkpoint / CHECKPOINT_DIGESTS, {name: file_sha256(checkpoint / name) for name in found})


def last_intact_checkpoint(folder: Path, notify: Callable[[str], None]) -> Path:
    """The run's last checkpoint that is not damaged. Raises ConfigError without one.

    Damaged ones after it are renamed and reported: the training repeats their steps. For the process that has the lock.
    """
    found = [path for path in folder.iterdir() if CHECKPOINT.fullmatch(path.name) and path.is_dir()]
    damaged: list[tuple[Path, str]] = []
    for checkpoint in sorted(found, key=checkpoint_step, reverse=True):
        if (problem := damage(checkpoint)) is None:
            for one, why in damaged:
                notify(f"Warning: {one.name} is damaged ({why}); the training continues from {checkpoint.name}.")
                _set_aside(one)
            return checkpoint
        damaged.append((checkpoint, problem))
    why = f" ({damaged[0][0].name}: {damaged[0][1]})" if damaged else ""
    raise ConfigError(f"{folder.name} has no checkpoint to resume from{why}.", next="Start a new run.")


def damage(checkpoint: Path) -> str | None:
    """What is wrong with the files that a training resumes from; None if nothing is.

    Without recorded digests (of an older version, or a kill came first) only what is missing or cut off is found.
    """
    for name in (ADAPTER_FILE, ADAPTER_CONFIG, TRAINER_STATE):
        if not (checkpoint / name).is_file():
            return f"{name} is missing"
    digests = _digests(checkpoint)
    for name in RESUMED_FROM:
        if name in digests:
            try:
                if file_sha256(checkpoint / name) != digests[name]:
                    return f"{name} has changed"
            except OSError as error:
                return f"{name}: {error.strerror}"
    for name in (ADAPTER_CONFIG, TRAINER_STATE):
        try:
            read_regular_json(checkpoint / name)
        except (OSError, ValueError):
            return f"{name} cannot be read"
    return None if digests else _cut_off(checkpoint)


def recorded_adapter(checkpoint: Path) -> dict[str, object]:
    """The checkpoint as run.json names the run's adapter."""
    weights = checkpoint / ADAPTER_FILE
    return {
        "path": checkpoint.name,
        "sha256": file_sha256(weights),
        "bytes": weights.stat().st_size,
        "config_sha256": file_sha256(checkpoint / ADAPTER_CONFIG),
    }


def _digests(checkpoint: Path) -> dict[str, object]:
    try:
        return dict(read_regular_json(checkpoint / CHECKPOINT_DIGESTS))
    except (OSError, ValueError, TypeError):
        return {}


def _cut_off(checkpoint: Path) -> str | None:
    try:
        complete = _safetensors_bytes(checkpoint / ADAPTER_FILE) == (checkpoint / ADAPTER_FILE).stat().st_size
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        complete = False
    if not complete:
        return f"{ADAPTER_FILE} is cut off"
    for name in ARCHIVES:
        if (path := checkpoint / name).exists() and not zipfile.is_zipfile(path):
            return f"{name} is cut off"
    return None


def _safetensors_bytes(path: Path) -> int:
    """The size that the file's header promises. https://huggingface.co/docs/safetensors/index#format"""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(min(length, MAX_HEADER_BYTES)))
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return 8 + length + int(max(ends, default=0))


def _set_aside(checkpoint: Path) -> None:
    target = checkpoint.with_name(f"{ASIDE}{checkpoint.name}")
    shutil.rmtree(target, ignore_errors=True)
    checkpoint.rename(target)
