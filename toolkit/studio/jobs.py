"""The studio's work: one command at a time in a child process, whose whole state is in files.

A job's process has the lock of its folder while it lives. So a reload, a second browser and a studio that was started
again see it as it is, and a job that crashes harms no server.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.core import environment
from toolkit.core.documents import read_json
from toolkit.core.errors import ConfigError
from toolkit.core.events import Task, read_items, read_tasks
from toolkit.core.files import is_locked, lock_folder, now, write_json
from toolkit.core.suggestion import suggestion
from toolkit.runs.run import Run, find_run, list_runs

RECORD, OUT, LOG, EVENTS = "job.json", "out.txt", "log.txt", "progress.json"
VERDICTS = range(20, 24)  # exit codes of a comparison that is done
STOPPED_CODE = 130
KEPT_JOBS = 50
SHOWN_BYTES = 20_000  # the end of a log
ABOUT_A_RUN = frozenset({"resume", "compare", "export", "attest", "push"})  # actions whose subject is one
RUNNING, DONE, STOPPED, FAILED, LOST = "running", "done", "stopped", "failed", "lost"
PROGRAM = (sys.executable, "-P", "-m", "toolkit")  # -P: nothing of the work folder is imported


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """`action`: what it does, for people (see `ABOUT_A_RUN` and `action` in texts.yaml). `subject`: a file, a
    text, a run or a sweep.

    `arguments`: of the toolkit's command. `code` None: it is running, or nobody saw its end.
    """

    action: str
    subject: str
    arguments: tuple[str, ...]
    started_at: str
    pid: int | None = None
    ended_at: str | None = None
    code: int | None = None
    stopping: bool = False


@dataclass(frozen=True, kw_only=True)
class Job:
    """One command that the studio started, as its folder has it.

    `state`: when it was looked up, so that a page which is made while the job ends is of one moment. `lost`: it
    ended while no studio was there to see how.
    """

    folder: Path
    record: JobRecord
    state: str

    @property
    def number(self) -> int:
        return int(self.folder.name)

    @property
    def command(self) -> str:
        """As a user types it."""
        return suggestion(*self.record.arguments)

    @property
    def tasks(self) -> list[Task]:
        return read_tasks(self.folder / EVENTS)

    @property
    def items(self) -> list[dict[str, Any]]:
        """What it has finished and can show already."""
        return read_items(self.folder / EVENTS)

    @property
    def log(self) -> str:
        """The end of what it said."""
        return _end_of(self.folder / LOG)

    @property
    def answer(self) -> str:
        """What it printed on stdout."""
        return _end_of(self.folder / OUT)

    @property
    def error(self) -> str:
        """The message of a failed one."""
        lines = [line for line in self.log.splitlines() if line.strip()]
        named = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
        return (named or lines or [f"exit code {self.record.code}"])[-1]

    def run(self, output: Path) -> Run | None:
        """The run that it makes (of a sweep the newest), or is about; None before it has one."""
        if self.record.action in ABOUT_A_RUN:
            with suppress(ConfigError):
                return find_run(self.record.subject, output)
            return None
        command = shlex.join(("toolkit", *self.record.arguments))
        found = [
            run
            for run in list_runs(output)
            if run.record.command == command and run.record.started_at >= self.record.started_at
        ]
        return None if not found else found[-1 if self.record.action == "sweep" else 0]


class Jobs:
    """All jobs of an output folder. `changed` is called when one starts or ends."""

    def __init__(self, folder: Path, work_folder: Path, changed: Callable[[], None] = lambda: None) -> None:
        self.folder, self.work_folder, self.changed = folder, work_folder, changed
        self.starting, self.writing = threading.Lock(), threading.Lock()
        self.child: subprocess.Popen[bytes] | None = None
        self.watched: set[Path] = set()

    def all(self) -> list[Job]:
        """The newest first."""
        found = []
        for number in reversed(self._numbers()):
            with suppress(ConfigError):  # of one that starts in this moment
                found.append(self.find(number))
        return found

    def find(self, number: int) -> Job:
        """Raises ConfigError."""
        folder = self.folder / str(number)
        watched = folder in self.watched  # first: the end is noted before it is not watched any more
        try:
            value = read_json(folder / RECORD)
            record = JobRecord(**{**value, "arguments": tuple(value["arguments"])})
        except (OSError, ValueError, TypeError, KeyError):
            raise ConfigError(f"There is no job {number}.", next="See the list of jobs.") from None
        return Job(folder=folder, record=record, state=_state(record, watched or is_locked(folder)))

    @property
    def running(self) -> Job | None:
        """The one whose process lives."""
        for number in reversed(self._numbers()):
            if is_locked(self.folder / str(number)):
                with suppress(ConfigError):
                    return self.find(number)
        return None

    def start(self, action: str, subject: str, arguments: Sequence[str]) -> Job:
        """Raises ConfigError while another one is running."""
        with self.starting:
            if (other := self.running) is not None:
                raise ConfigError(
                    f"Job {other.number} is still running: {other.command}.", next="Wait for its end, or stop it."
                )
            folder = self._new_folder()
            record = JobRecord(action=action, subject=subject, arguments=tuple(arguments), started_at=now())
            try:
                child = self._started(folder, record)
            except OSError:  # such as a full disk
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self.child = child
            self.watched.add(folder)
        threading.Thread(target=self._see_the_end, args=(child, folder), daemon=True).start()
        self.changed()
        return self.find(int(folder.name))

    def _started(self, folder: Path, record: JobRecord) -> "subprocess.Popen[bytes]":
        """Raises OSError, and then nothing runs."""
        lock = lock_folder(folder)
        with lock, (folder / OUT).open("wb") as out, (folder / LOG).open("wb") as log:
            _write(folder, record)
            child = subprocess.Popen(
                [*PROGRAM, *record.arguments], cwd=self.work_folder, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                env=environment.for_child(**{environment.PROGRESS: str(folder / EVENTS)}),
                pass_fds=[lock.fileno()],  # the lock is the child's from now on, whatever becomes of this process
                start_new_session=True,  # Ctrl-C ends the studio, which then asks the job to save and stop
            )  # fmt: skip
        try:
            _write(folder, replace(record, pid=child.pid))
        except OSError:
            child.kill()  # nobody could stop it later
            child.wait()
            raise
        return child

    def stop(self, number: int) -> None:
        """Asks for the end: a training saves a checkpoint first; asked twice, it ends at once. Raises ConfigError."""
        with self.writing:
            job = self.find(number)
            if job.record.pid is None or not is_locked(job.folder):  # its number may be another process's by now
                raise ConfigError(f"Job {number} is not running.", next="See the list of jobs.")
            _write(job.folder, replace(job.record, stopping=True))
            with suppress(ProcessLookupError):
                os.kill(job.record.pid, signal.SIGTERM)
        self.changed()

    def close(self, within_s: float) -> bool:
        """Asks the running job to save and stop, and waits; False if it still runs then."""
        job = self.running
        if job is None:
            return True
        self.stop(job.number)
        until = time.monotonic() + within_s
        while is_locked(job.folder) and time.monotonic() < until:
            time.sleep(0.1)
        if self.child is not None and self.child.poll() is not None:
            self._write_end(job.folder, self.child.returncode)
        return not is_locked(job.folder)

    def _see_the_end(self, child: "subprocess.Popen[bytes]", folder: Path) -> None:
        code = child.wait()
        with suppress(OSError, ConfigError):
            self._write_end(folder, code)
        self.watched.discard(folder)
        self.changed()

    def _write_end(self, folder: Path, code: int) -> None:
        with self.writing:
            record = self.find(int(folder.name)).record
            if record.code is None:
                _write(folder, replace(record, code=code, ended_at=now()))

    def _numbers(self) -> list[int]:
        return sorted(int(path.name) for path in self.folder.iterdir() if path.name.isdigit())

    def _new_folder(self) -> Path:
        numbers = self._numbers()
        folder = self.folder / str(max(numbers, default=0) + 1)
        folder.mkdir()
        for number in numbers[: max(0, len(numbers) + 1 - KEPT_JOBS)]:
            old = self.folder / str(number)
            for path in old.iterdir():
                path.unlink()
            old.rmdir()
        return folder


def _state(record: JobRecord, running: bool) -> str:
    if record.code is None:
        return RUNNING if running else LOST
    if record.code == 0 or record.code in VERDICTS:
        return DONE
    return STOPPED if record.code == STOPPED_CODE or record.stopping else FAILED


def _write(folder: Path, record: JobRecord) -> None:
    value: Mapping[str, object] = asdict(record)
    write_json(folder / RECORD, dict(value))


def _end_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - SHOWN_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
