"""A run's folder: created, locked, found and listed; its run.json is written at the start and replaced atomically.

A run's process keeps a lock (flock) on its folder while it lives, so that a killed run differs from a live one, also
across containers. `latest` is a relative link and moves only to finished runs.
"""

import os
import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from toolkit.core.documents import read_regular_json
from toolkit.core.errors import ConfigError
from toolkit.core.files import is_locked, lock_folder, write_json
from toolkit.core.links import leads_into, require_links_stay_in, require_no_link
from toolkit.core.spelling import did_you_mean
from toolkit.runs.layout import (
    HISTORY,
    KEEP_CACHE,
    LATEST,
    NAME,
    RECORD,
    RUN_SCHEMA_VERSION,
    complete_checkpoints,
    first_command,
    list_command,
)
from toolkit.runs.record import FINISHED, RUNNING, RunRecord

DIED = "died"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run on the disk."""

    folder: Path
    record: RunRecord

    @property
    def run_id(self) -> str:
        return self.folder.name

    @property
    def status(self) -> str:
        """As recorded, except `died`: recorded as running, but no process has its lock."""
        return DIED if self.record.status == RUNNING and not is_locked(self.folder) else self.record.status

    @property
    def checkpoints(self) -> list[Path]:
        """Complete checkpoints, the latest last."""
        return complete_checkpoints(self.folder)

    @property
    def adapter(self) -> Path:
        """The folder of the run's adapter; raises ConfigError when there is none.

        For a finished run it is the recorded one, which early stopping chose; for any other, the latest checkpoint.
        """
        if not self.checkpoints:
            raise ConfigError(
                f"No adapter in {self.folder} (status: {self.status}).",
                next=f'Run "{first_command(self.folder.parent)}" first, or name another run.',
            )
        adapter = self.record.adapter if self.record.status == FINISHED else None
        name = None if adapter is None else adapter.path
        return next((path for path in self.checkpoints if path.name == name), self.checkpoints[-1])


def create_run_folder(output: Path) -> Path:
    """A new `v<N>-<time>` folder; two processes never get the same one.

    Raises ConfigError, also for a link in the place of what trainings of this output folder share.
    """
    require_own_output(output)
    try:
        output.mkdir(parents=True, exist_ok=True)
        while True:
            folder = output / f"v{max(_numbers(output), default=-1) + 1}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
            with suppress(FileExistsError):
                folder.mkdir()
                if _numbers(output).count(_number(folder)) == 1:
                    return folder
                folder.rmdir()  # two processes took the number at once: both give it up and try again
            time.sleep(random.random() / 20)  # noqa: S311  # to separate the two, not a secret
    except OSError as error:
        raise ConfigError(
            f"Cannot write to the output folder {output}: {error.strerror}.",
            next="Name a writable folder with --output.",
        ) from None


def require_own_output(output: Path) -> None:
    """Raises ConfigError for a symbolic link in the place of what the trainings of an output folder share."""
    require_no_link(output / HISTORY, output / KEEP_CACHE)


def _number(folder: Path) -> int:
    return int(folder.name[1:].partition("-")[0])


def _numbers(output: Path) -> list[int]:
    return [_number(path) for path in output.iterdir() if NAME.fullmatch(path.name)]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps the run's lock; the system releases it even when the process is killed. Raises ConfigError."""
    try:
        lock = lock_folder(folder)
    except BlockingIOError:
        raise ConfigError(
            f"{folder.name} is being worked on by another process.", next="Wait for it, or start a new run."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"Cannot write to {folder}: {error.strerror}.", next="Make it writable, or start a new run elsewhere."
        ) from None
    with lock:
        yield


def write_record(folder: Path, record: RunRecord) -> None:
    write_json(folder / RECORD, record.to_dict())


def point_latest_at(folder: Path) -> None:
    """Moves `latest` (a relative link, so it holds on either side of a mount) in one step. Raises OSError."""
    partial = folder.parent / f".{LATEST}.{secrets.token_hex(8)}"
    try:
        partial.symlink_to(folder.name)
        partial.replace(folder.parent / LATEST)
    finally:
        partial.unlink(missing_ok=True)


def read_run(folder: Path) -> Run:
    """Raises ConfigError for a folder that is not a run, or whose record is damaged."""
    path = folder / RECORD
    try:
        record = read_regular_json(path)
    except FileNotFoundError:
        raise ConfigError(
            f"{folder} is not a run: {RECORD} is missing.", next=f'List them with "{list_command(folder.parent)}".'
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.", next="Start a new run.") from None
    if not isinstance(record, dict) or record.get("schema_version") != RUN_SCHEMA_VERSION:
        raise ConfigError(
            f"{path} is not of schema_version {RUN_SCHEMA_VERSION}.", next="Use the toolkit that wrote it."
        )
    try:
        return Run(folder=folder, record=RunRecord.from_dict(record))
    except ValueError as error:
        raise ConfigError(f"{path} is damaged: {error}.", next="Start a new run.") from None


def require_own_files(run: Run) -> None:
    """Before anything is written into the run's folder, or copied from it.

    Raises ConfigError for a symbolic link in it that leads out: what follows it would change or share another's file.
    """
    require_links_stay_in(run.folder)


def run_folders(output: Path) -> list[Path]:
    """Every run's folder in `output` in the order of their numbers, those with a damaged record included."""
    if not output.is_dir():
        return []
    return sorted((path for path in output.iterdir() if NAME.fullmatch(path.name) and _has_files(path)), key=_number)


def _has_files(folder: Path) -> bool:
    """Whether it has a record, or files without one; not so in the first moment of a new run."""
    try:
        return any(name == RECORD or not name.startswith(".") for name in os.listdir(folder))  # noqa: PTH208  # names
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # another user's: it is listed as one that cannot be read
        return True


def list_runs(output: Path) -> list[Run]:
    """Every run in `output` whose record can be read, the oldest first."""
    runs = []
    for folder in run_folders(output):
        with suppress(ConfigError):
            runs.append(read_run(folder))
    return runs


def find_run(name: str | None, output: Path) -> Run:
    """By id, by its number (`v3`), by folder, or the latest finished one; raises ConfigError."""
    if name is None:
        return _latest(output)
    for folder in (output / name, Path(name)):
        if (folder / RECORD).is_file():
            return read_run(_in_place(folder, output))
    numbered = [folder for folder in run_folders(output) if folder.name.partition("-")[0] == name]
    if len(numbered) == 1:
        return read_run(_in_place(numbered[0], output))
    known = [run.run_id for run in list_runs(output)]
    raise ConfigError(
        f"No run {name!r} in {output}.{did_you_mean(name, known)}",
        next=f"Runs there: {', '.join(known[-5:])}."
        if known
        else f'Run "{first_command(output)}" first, or finetune with a data set of your own.',
    )


def _in_place(folder: Path, output: Path) -> Path:
    """The run's folder itself, where `folder` is a link such as `latest`.

    Raises ConfigError for a link in `output` that leads elsewhere; one that the user names by its path is followed.
    """
    if not folder.is_symlink():
        return folder if NAME.fullmatch(folder.name) else folder.resolve()
    if folder.parent.resolve() == output.resolve() and not leads_into(folder, output):
        raise ConfigError(
            f"{folder} is a symbolic link that leads out of {output}.",
            next="Name the run by its own folder, or remove the link.",
        )
    return folder.resolve()


def _latest(output: Path) -> Run:
    """The run that `latest` points at; without it (a disk without links, a deleted run) the last finished one."""
    if (output / LATEST / RECORD).is_file():
        run = read_run(_in_place(output / LATEST, output))
        if run.status == FINISHED:
            return run
    runs = list_runs(output)
    if finished := [run for run in runs if run.status == FINISHED]:
        return finished[-1]
    unfinished = ", ".join(f"{run.run_id} {run.status}" for run in runs)
    raise ConfigError(
        f"No finished run in {output}{f' ({unfinished})' if unfinished else ''}.",
        next=f'Run "{first_command(output)}" first, or name a run.',
    )
