"""Keeps a run's record true from start to end: whatever ends the work, run.json says so."""

import contextlib
import errno
import json
import math
import shutil
import sys
import traceback
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from toolkit import __version__
from toolkit.core.errors import Interrupted, ToolkitError, TrainingError, first_line
from toolkit.core.files import now, write_json, write_text
from toolkit.runs.latest import move_latest
from toolkit.runs.layout import ADAPTER_FILE, output_option, whole_checkpoints
from toolkit.runs.run import Run, read_run, write_record

RESUMED_FROM = ("optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state*.pth")  # of no use to a finished run
STORY = "error.txt"  # the traceback of a failure that nobody foresaw
RESERVE = ".reserve"  # held while the work goes on, so that a full disk has room for the last word in run.json
RESERVE_BYTES = 256 * 1024
FULL_BYTES = 1_000_000  # a disk with less than this free is full


@contextlib.contextmanager
def recording(folder: Path, record: dict[str, Any]) -> Iterator[None]:
    """Within, `record` grows; an error is recorded and told as a ToolkitError."""
    reserve = folder / RESERVE
    try:
        write_record(folder, record)
        reserve.write_bytes(bytes(RESERVE_BYTES))
        yield
    except BaseException as error:
        told = _told(error, folder)
        _remove_half_checkpoints(folder)
        reserve.unlink(missing_ok=True)
        interrupted = isinstance(told or error, Interrupted)
        record |= {
            "status": "interrupted" if interrupted else "failed",
            "finished_at": now(),
            "error": str(told or error) or type(error).__name__,
        }
        with contextlib.suppress(OSError):  # where even this fails, the run shows as died
            write_record(folder, record)
            if not interrupted and not isinstance(error, ToolkitError):
                (folder / STORY).write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        if told is None:
            raise
        raise told from error
    reserve.unlink(missing_ok=True)


def finish(folder: Path, record: dict[str, Any]) -> Run:
    """Only now the run appears finished, and `latest` moves to it."""
    write_record(folder, record | {"status": "finished", "finished_at": now()})
    for name in RESUMED_FROM:
        for path in folder.glob(f"checkpoint-*/{name}"):
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # a disk that knows no links: the last finished run is found without
        move_latest(folder, "finetune")
    return read_run(folder)


def forget_steps_after(step: int, log: Path) -> None:
    """A killed run may have told of steps beyond its last checkpoint; they are done again."""
    with contextlib.suppress(FileNotFoundError):
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
        write_text(log, "".join(line for line in lines if _step_of(line) <= step))


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):  # cut off by the kill
        return math.inf


def make_portable(checkpoint: Path, base_model: dict[str, Any]) -> None:
    """A folder of this machine means nothing elsewhere: the adapter names its base by repository, or by name."""
    (checkpoint / "README.md").unlink(missing_ok=True)  # an empty form that names the folder too
    path = checkpoint / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    name = base_model["repository"] or base_model["name"]
    write_json(path, config | {"base_model_name_or_path": name, "revision": base_model["revision"]})
    (checkpoint / ADAPTER_FILE).chmod(path.stat().st_mode)  # peft leaves it to the owner alone


def versions() -> dict[str, str | None]:
    """What computes, for run.json."""
    import torch

    packages = {"ms_swift": "ms-swift", "torch": "torch", "transformers": "transformers", "peft": "peft"}
    found: dict[str, str | None] = {"toolkit": __version__}
    for key, package in packages.items():
        try:
            found[key] = version(package)
        except PackageNotFoundError:
            found[key] = None
    return found | {"python": sys.version.split()[0], "cuda": torch.version.cuda}


def _told(error: BaseException, folder: Path) -> ToolkitError | None:
    """The error as the user should read it; None where it already is."""
    if isinstance(error, KeyboardInterrupt):
        kept = whole_checkpoints(folder)
        command = f"toolkit finetune --resume {folder.name}{output_option(folder.parent)}"
        go_on = f'Go on with "{command}".' if kept else "No checkpoint was saved yet."
        return Interrupted(f"Interrupted: {folder.name}.", next=go_on)
    if isinstance(error, ToolkitError) or not isinstance(error, Exception):
        return None
    if type(error).__name__ == "OutOfMemoryError":
        return TrainingError(
            "The card's memory ran out.",
            next="Lower --max-length or --batch-size, or end other programs on the card (nvidia-smi lists them).",
        )
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):  # torch on a CPU
        return TrainingError(
            "This machine's memory ran out.", next="Lower --max-length or --batch-size, or end other programs."
        )
    if _is_full(error, folder):
        return TrainingError(f"The disk of {folder} is full.", next="Free some space; then resume or start again.")
    return TrainingError(
        f"Training failed: {type(error).__name__}: {first_line(error, 300)}.",
        next=f"The whole story is in {folder / STORY}.",
    )


def _is_full(error: Exception, folder: Path) -> bool:
    """By the error's number or words; torch tells only of a position, so there the disk itself is asked."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    return "No space left" in str(error) or (
        "inline_container" in str(error) and shutil.disk_usage(folder).free < FULL_BYTES
    )


def _remove_half_checkpoints(folder: Path) -> None:
    """Nothing half may look whole."""
    whole = set(whole_checkpoints(folder))
    for path in folder.glob("checkpoint-*"):
        if path not in whole:
            shutil.rmtree(path, ignore_errors=True)
    link = folder / "last-checkpoint"  # ms-swift's own; it may point at what has just gone
    if link.is_symlink() and not link.exists():
        link.unlink()
