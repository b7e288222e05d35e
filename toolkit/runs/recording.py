"""Keeps a run's record correct from start to end: however the work ends, run.json says so."""

import contextlib
import math
import shlex
import shutil
import sys
import traceback
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, getrlimit

from toolkit import __version__
from toolkit.core.documents import parse_json, read_json
from toolkit.core.errors import (
    RAISE_LIMIT,
    Interrupted,
    ToolkitError,
    TrainingError,
    first_line,
    is_full,
    is_over_limit,
    named_variable,
)
from toolkit.core.files import is_locked, remove_partial_files, write_bytes, write_json, write_text
from toolkit.core.suggestion import suggestion
from toolkit.runs.latest import move_latest
from toolkit.runs.layout import (
    ADAPTER_CONFIG,
    ADAPTER_FILE,
    CHECKPOINT_DIGESTS,
    CHECKPOINTS,
    KEEP_CACHE,
    LAST_CHECKPOINT,
    MODEL_CARD,
    RESERVE,
    TRACEBACK_FILE,
    complete_checkpoints,
    resume_command,
)
from toolkit.runs.record import FAILED, FINISHED, INTERRUPTED, RecordedBase, RunRecord
from toolkit.runs.run import Run, read_run, run_folders, write_record

# Of no use to a finished run.
RESUMED_FROM = ("optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state*.pth", CHECKPOINT_DIGESTS)
RESERVE_BYTES = 256 * 1024
LONGEST_SHOWN = 300  # characters of a command
TORCH = "inline_container"  # in torch's error where it cannot write, which names only a position in its file
FULL_BYTES = 1_000_000  # a disk with less than this free is full


class Recorder:
    """The record of the run in `folder` while work goes on: replaced as a value, written when asked.

    `finished`: it is on the disk as finished, which no later interruption changes. `cache`: the folder of what the
    base model says before it is trained; by default one that all trainings of the output folder share.
    """

    def __init__(self, folder: Path, record: RunRecord, cache: Path | None = None) -> None:
        self.folder, self.record, self.finished = folder, record, False
        self.cache = cache or folder.parent / KEEP_CACHE

    def write(self) -> None:
        write_record(self.folder, self.record)


@contextlib.contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Writes the record now; an error inside is recorded, and raised as a ToolkitError."""
    folder = recorder.folder
    reserve = folder / RESERVE
    try:
        recorder.write()
        write_bytes(reserve, bytes(RESERVE_BYTES))
        yield
    except BaseException as error:
        reserve.unlink(missing_ok=True)  # first: it is the space for what is recorded now
        if recorder.finished:
            raise
        user_error = _user_error_for(error, folder, recorder.record.command)
        _remove_incomplete_checkpoints(folder)
        interrupted = isinstance(user_error or error, Interrupted)
        recorder.record = recorder.record.ended(
            INTERRUPTED if interrupted else FAILED, str(user_error or error) or type(error).__name__
        )
        with contextlib.suppress(OSError):  # if even this fails, the run shows as died
            recorder.write()
            if not interrupted and not isinstance(error, ToolkitError):
                write_text(folder / TRACEBACK_FILE, "".join(traceback.format_exception(error)))
        if user_error is None:
            raise
        raise user_error from error


def finish(recorder: Recorder) -> Run:
    """Only now the run appears as finished, and `latest` moves to it."""
    folder = recorder.folder
    (folder / RESERVE).unlink(missing_ok=True)  # a disk that is full by now still has room for the record
    recorder.record = recorder.record.ended(FINISHED)
    recorder.write()
    recorder.finished = True
    for name in RESUMED_FROM:
        for path in folder.glob(f"{CHECKPOINTS}/{name}"):
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # a disk without links: the last finished run is found without them
        move_latest(folder, "finetune")
    return read_run(folder)


def remove_leftovers(output: Path) -> None:
    """Removes what runs that were killed (kill -9, a power cut) could not remove: their reserve, files half written."""
    for folder in run_folders(output):
        if not folder.is_symlink() and not is_locked(folder):
            with contextlib.suppress(OSError):
                (folder / RESERVE).unlink(missing_ok=True)
                remove_partial_files(folder)


def forget_steps_after(step: int, log: Path) -> None:
    """A killed run may have logged steps after its last checkpoint; they are repeated."""
    with contextlib.suppress(FileNotFoundError):
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
        write_text(log, "".join(line for line in lines if _step_of(line) <= step))


def _step_of(line: str) -> float:
    try:
        return float(parse_json(line)["step"])
    except (ValueError, KeyError, TypeError):  # cut off by the kill
        return math.inf


def make_portable(checkpoint: Path, base: RecordedBase) -> None:
    """Names the base model by repository, or by name: a folder of this machine means nothing elsewhere."""
    (checkpoint / MODEL_CARD).unlink(missing_ok=True)  # an empty form that names the folder too
    path = checkpoint / ADAPTER_CONFIG
    config = read_json(path)
    write_json(path, config | {"base_model_name_or_path": base.repository or base.name, "revision": base.revision})
    (checkpoint / ADAPTER_FILE).chmod(path.stat().st_mode)  # peft makes it readable to its owner only


def versions() -> dict[str, str | None]:
    """The software that computes, for run.json; None for a package that is not installed."""
    import torch

    packages = {"ms_swift": "ms-swift", "torch": "torch", "transformers": "transformers", "peft": "peft"}
    found: dict[str, str | None] = {"toolkit": __version__}
    for key, package in packages.items():
        try:
            found[key] = version(package)
        except PackageNotFoundError:
            found[key] = None
    return found | {"python": sys.version.split()[0], "cuda": torch.version.cuda}


def _user_error_for(error: BaseException, folder: Path, command: str) -> ToolkitError | None:
    """The error as the user should read it; None if it already is that. `command`: which began the run."""
    if isinstance(error, KeyboardInterrupt):
        return Interrupted(f"Interrupted: {folder.name}.", next=_way_on(folder, command))
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
    full = _is_full(error, folder)
    if full or _is_over_limit(error):
        what = f"The disk of {folder} is full." if full else f"A file in {folder} is over the limit on a file's size."
        return TrainingError(what, next=f"{'Free some space.' if full else RAISE_LIMIT} {_way_on(folder, command)}")
    return named_variable(error) or TrainingError(
        f"Training failed: {type(error).__name__}: {first_line(error, 300)}.",
        next=f"The traceback is in {folder / TRACEBACK_FILE}.",
    )


def _way_on(folder: Path, command: str) -> str:
    if complete_checkpoints(folder):
        return f'Continue with "{resume_command(folder)}".'
    again = f' with "{suggestion(*shlex.split(command)[1:])}"' if 0 < len(command) <= LONGEST_SHOWN else ""
    return f"No checkpoint was saved yet; start again{again}."


def _is_full(error: Exception, folder: Path) -> bool:
    """By the error's number or text; of torch's, by the free space."""
    return is_full(error) or (TORCH in str(error) and shutil.disk_usage(folder).free < FULL_BYTES)


def _is_over_limit(error: Exception) -> bool:
    """The same for the limit on a file's size."""
    return is_over_limit(error) or (TORCH in str(error) and getrlimit(RLIMIT_FSIZE)[0] != RLIM_INFINITY)


def _remove_incomplete_checkpoints(folder: Path) -> None:
    complete = set(complete_checkpoints(folder))
    for path in folder.glob(CHECKPOINTS):
        if path not in complete:
            shutil.rmtree(path, ignore_errors=True)
    link = folder / LAST_CHECKPOINT  # it may point at a checkpoint that was just removed
    if link.is_symlink() and not link.exists():
        link.unlink()
