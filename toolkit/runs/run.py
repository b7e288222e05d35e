"""A run's folder and its run.json (schema_version 1): written at the start, replaced atomically, never half.

A run holds a lock (flock) on its folder while its process lives, so that one that was killed is told from one
that goes on, also across containers. `latest` is a relative link and moves only to finished runs.
"""

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError
from toolkit.core.files import is_locked, lock_folder, write_json
from toolkit.runs.layout import LATEST, NAME, RECORD, RUN_SCHEMA_VERSION, whole_checkpoints


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run as it lies on the disk."""

    folder: Path
    record: dict[str, Any]

    @property
    def run_id(self) -> str:
        return self.folder.name

    @property
    def status(self) -> str:
        """As recorded, except `died`: recorded as running, but no process holds its lock."""
        status = str(self.record.get("status", "unreadable"))
        return "died" if status == "running" and not is_locked(self.folder) else status

    @property
    def checkpoints(self) -> list[Path]:
        """Whole checkpoints, the latest last."""
        return whole_checkpoints(self.folder)

    @property
    def adapter(self) -> Path:
        """The folder of the adapter that the run ended with; raises ConfigError when there is none.

        Of a finished run the recorded one, which early stopping chose; of any other the latest.
        """
        if not self.checkpoints:
            raise ConfigError(
                f"No adapter in {self.folder} (status: {self.status}).", next='Run "toolkit finetune" first.'
            )
        recorded = self.record.get("adapter") if self.record.get("status") == "finished" else None
        name = recorded.get("path") if isinstance(recorded, dict) else None
        return next((path for path in self.checkpoints if path.name == name), self.checkpoints[-1])


def create_run_folder(output: Path) -> Path:
    """A fresh `v<N>-<time>` folder; two processes never get the same one. Raises ConfigError."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        while True:
            folder = output / f"v{max(_numbers(output), default=-1) + 1}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
            with suppress(FileExistsError):
                folder.mkdir()
                if _numbers(output).count(_number(folder)) == 1:
                    return folder
                folder.rmdir()  # two took the number at once: both yield and try again
            time.sleep(random.random() / 20)  # noqa: S311  # to part the two, not a secret
    except OSError as error:
        raise ConfigError(
            f"Cannot write to the output folder {output}: {error.strerror}.",
            next="Name a writable folder with --output.",
        ) from None


def _number(folder: Path) -> int:
    return int(folder.name[1:].partition("-")[0])


def _numbers(output: Path) -> list[int]:
    return [_number(path) for path in output.iterdir() if NAME.fullmatch(path.name)]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the run's lock; the system releases it even when the process is killed. Raises ConfigError."""
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


def write_record(folder: Path, record: dict[str, Any]) -> None:
    write_json(folder / RECORD, record)


def point_latest_at(folder: Path) -> None:
    """Moves `latest` (a relative link, so it holds on either side of a mount) in one step."""
    link, partial = folder.parent / LATEST, folder.parent / f".{LATEST}.{os.getpid()}"
    partial.unlink(missing_ok=True)
    partial.symlink_to(folder.name)
    partial.replace(link)


def read_run(folder: Path) -> Run:
    """Raises ConfigError when the folder is no run."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{folder} is not a run: {RECORD} is missing.", next='List them with "toolkit runs".'
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder / RECORD} cannot be read: {error}.", next="Start a new run.") from None
    if not isinstance(record, dict) or record.get("schema_version") != RUN_SCHEMA_VERSION:
        raise ConfigError(
            f"{folder / RECORD} is not of schema_version {RUN_SCHEMA_VERSION}.", next="Use the toolkit that wrote it."
        )
    return Run(folder=folder, record=record)


def list_runs(output: Path) -> list[Run]:
    """Every readable run under `output`, the oldest first."""
    if not output.is_dir():
        return []
    runs = []
    for folder in output.iterdir():
        if NAME.fullmatch(folder.name) and folder.is_dir():
            with suppress(ConfigError):
                runs.append(read_run(folder))
    return sorted(runs, key=lambda run: _number(run.folder))


def find_run(name: str | None, output: Path) -> Run:
    """By id, by its number (`v3`), by folder, or the latest finished one; raises ConfigError."""
    if name is None:
        return _latest(output)
    for folder in (output / name, Path(name)):
        if (folder / RECORD).is_file():
            named = NAME.fullmatch(folder.name) and not folder.is_symlink()
            return read_run(folder if named else folder.resolve())
    numbered = [run for run in list_runs(output) if run.run_id.partition("-")[0] == name]
    if len(numbered) == 1:
        return numbered[0]
    known = [run.run_id for run in list_runs(output)]
    raise ConfigError(
        f"No run {name!r} in {output}.",
        next=f"Runs there: {', '.join(known[-5:])}." if known else 'Run "toolkit finetune DATA" first.',
    )


def _latest(output: Path) -> Run:
    """What `latest` points at; without it (a disk that knows no links, a run thrown away) the last finished one."""
    if (output / LATEST / RECORD).is_file():
        return read_run((output / LATEST).resolve())
    runs = list_runs(output)
    if finished := [run for run in runs if run.status == "finished"]:
        return finished[-1]
    unfinished = ", ".join(f"{run.run_id} {run.status}" for run in runs)
    raise ConfigError(
        f"No finished run in {output}{f' ({unfinished})' if unfinished else ''}.",
        next='Run "toolkit finetune DATA" first, or name a run.',
    )
