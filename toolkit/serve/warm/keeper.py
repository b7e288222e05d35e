"""The warm process: it listens, forks a worker for each command, and has one wait with the base model loaded.

It imports and computes nothing more once it listens: no thread of OpenMP and no card's context may exist before a fork.
"""

import fcntl
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.core.errors import ConfigError
from toolkit.serve.warm.identity import Identity, difference
from toolkit.serve.warm.messages import ANSWER_S, Message, is_private, peer_uid, receive, send
from toolkit.serve.warm.worker import Forked, Worker, fork, run_toolkit

LOOK_S = 30.0  # at most, between two looks whether it has been idle for too long


@dataclass(kw_only=True)
class Job:
    """A command and the connection that it came by."""

    worker: Worker
    connection: socket.socket
    command: str
    began: float = field(default_factory=time.monotonic)


class InWorker(Exception):  # noqa: N818  # no error: it unwinds the keeper's stack in a forked worker
    """Carries what the worker has."""

    def __init__(self, forked: Forked, *, waits: bool) -> None:
        self.forked, self.waits = forked, waits


class Keeper:
    """Listens at `path`; `run`: what a worker does with the command line. Raises ConfigError beside another keeper."""

    def __init__(
        self, path: Path, identity: Identity, model: str, *, idle_s: float, on_card: bool = False,
        imported: Mapping[str, str] | None = None, run: Callable[[], None] = run_toolkit,
    ) -> None:  # fmt: skip
        self.path, self.identity, self.model, self.idle_s, self.on_card = path, identity, model, idle_s, on_card
        self.imported, self.run = dict(imported or {}), run
        self.began = self.active = time.monotonic()
        self.jobs: list[Job] = []
        self.standby: Worker | None = None
        self.ready_at: float | None = None
        self.failed: str | None = None
        self.given_back = self.ending = False
        self.selector = selectors.PollSelector()  # none of the kernel's objects, which a fork would share
        self.lock = _locked(path.with_suffix(".lock"))
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            self.listener.bind(str(path))
        finally:
            os.umask(mask)
        self.listener.listen()
        self.woken, self.waking = socket.socketpair()
        self.waking.setblocking(False)

    def keep(self, prepare: Callable[[], None], ready: Callable[[], None]) -> None:
        """Serves until it is idle or sent away. In a worker it does not return: SystemExit is the command's end.

        `prepare` loads the base model, in a worker; `ready` is called once the first one has, or could not.
        """
        self._watch(self.listener, self._accept)
        self._watch(self.woken, self._wake)
        signal.set_wakeup_fd(self.waking.fileno())
        signal.signal(signal.SIGTERM, lambda *_: None)  # it wakes the selector
        try:
            self._serve(ready)
        except InWorker as worker:
            forked, waits = worker.forked, worker.waits
        else:
            self._close()
            return
        self._close_in_worker()
        forked.work(prepare if waits else None, self.imported, self.run)

    def _serve(self, ready: Callable[[], None]) -> None:
        self._stand_by()
        waited_for = True
        while self.jobs or not self.ending:
            for key, _ in self.selector.select(min(LOOK_S, self.idle_s)):
                if self.selector.get_map().get(key.fd) is key:  # one before it may have removed it
                    key.data()
            if waited_for and (self.ready_at or self.failed):
                waited_for = False
                ready()
            if not self.jobs and (time.monotonic() - self.active > self.idle_s or not self.path.exists()):
                self.end()

    def _wake(self) -> None:
        self.woken.recv(64)
        self.end()

    def status(self) -> Message:
        """What `toolkit up --status` shows; times are ages in seconds."""
        now = time.monotonic()
        return {
            "pid": os.getpid(), "model": self.model, "age_s": now - self.began, "idle_s": now - self.active,
            "ends_after_s": self.idle_s, "failed": self.failed, "identity": self.identity,
            "loaded_s": None if self.ready_at is None else now - self.ready_at,
            "workers": [] if self.standby is None else [self.standby.pid],
            "jobs": [{"pid": job.worker.pid, "command": job.command, "age_s": now - job.began} for job in self.jobs],
        }  # fmt: skip

    def _accept(self) -> None:
        connection, _ = self.listener.accept()
        connection.settimeout(ANSWER_S)
        descriptors: list[int] = []
        kept = False
        try:
            if peer_uid(connection) == os.getuid():
                request, descriptors = receive(connection)
                kept = self._answer(connection, request, descriptors)
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            pass  # a caller that left, or that speaks otherwise
        finally:
            # A fork comes through here too, in the worker: what it closes there is the keeper's copy of nothing.
            for number in descriptors:
                os.close(number)
            if not kept:
                connection.close()

    def _answer(self, connection: socket.socket, request: Message, descriptors: list[int]) -> bool:
        """Whether the connection is a job's from now on."""
        kind = request["kind"]
        if kind == "run":
            return self._run(connection, request, descriptors)
        if kind == "give back" and (request["of"] == "any" or self.on_card):
            self._give_back()
        elif kind == "down":
            self.end()
        send(connection, self.status())
        return False

    def _run(self, connection: socket.socket, request: Message, descriptors: list[int]) -> bool:
        why = "it ends" if self.ending else difference(self.identity, request["identity"])
        if why is not None:
            send(connection, {"refused": why if self.ending else f"{why} differs from that of toolkit up"})
            return False
        worker, loaded = self._take_standby()
        try:
            worker.give(request, descriptors)
        except OSError:  # it died while it waited, such as for want of memory
            self._reap(worker)
            worker, loaded = self._fork(waits=False), None
            worker.give(request, descriptors)
        now = time.monotonic()
        answer = {"what": "imported", "age_s": now - self.began} if loaded is None else {
            "what": "loaded", "age_s": now - loaded
        }  # fmt: skip
        job = Job(worker=worker, connection=connection, command=" ".join(request["argv"][1:2]))
        self.jobs.append(job)
        self._watch(worker.ended, lambda: self._ended(job))
        with suppress(OSError):
            send(connection, {"pid": worker.pid, **answer})
        connection.setblocking(False)
        self._watch(connection, lambda: self._forward(job))
        return True

    def _forward(self, job: Job) -> None:
        """Signals of the caller; where the caller was killed, so is its worker."""
        try:
            numbers = job.connection.recv(64)
        except BlockingIOError:
            return
        except OSError:
            numbers = b""
        if not numbers:
            self.selector.unregister(job.connection)
        for number in numbers or bytes([signal.SIGKILL]):
            os.kill(job.worker.pid, number)

    def _ended(self, job: Job) -> None:
        code = self._reap(job.worker)
        self.jobs.remove(job)
        if job.connection.fileno() in self.selector.get_map():
            self.selector.unregister(job.connection)
        job.connection.setblocking(True)
        job.connection.settimeout(ANSWER_S)
        with suppress(OSError):
            send(job.connection, {"exit": code} if code >= 0 else {"signal": -code})
        job.connection.close()
        self.active = time.monotonic()
        self._stand_by()

    def _stand_by(self) -> None:
        """Has a worker load the model and wait, unless a command runs: two models need not fit into the memory."""
        if self.jobs or self.standby or self.ending or self.given_back or self.failed:
            return
        worker = self._fork(waits=True)
        self.standby, self.ready_at = worker, None
        self._watch(worker.channel, lambda: self._hear(worker))
        self._watch(worker.ended, lambda: self._standby_ended(worker))

    def _hear(self, worker: Worker) -> None:
        self.selector.unregister(worker.channel)
        with suppress(OSError, EOFError, ValueError):
            found, _ = receive(worker.channel)
            self.failed = found.get("failed")
            self.ready_at = time.monotonic() if self.failed is None else None

    def _standby_ended(self, worker: Worker) -> None:
        code = self._reap(worker)
        self._forget_standby()
        self.failed = self.failed or f"the process that loaded it ended with {code}"

    def _take_standby(self) -> tuple[Worker, float | None]:
        """A worker, and when the model was loaded there; one that still loads it takes the command afterwards."""
        worker, loaded = self.standby, self.ready_at
        if worker is None:
            return self._fork(waits=False), None
        self._forget_standby()
        return worker, loaded if self.failed is None else None

    def _forget_standby(self) -> None:
        worker, self.standby, self.ready_at = self.standby, None, None
        for one in () if worker is None else (worker.channel, worker.ended):
            if (one if isinstance(one, int) else one.fileno()) in self.selector.get_map():
                self.selector.unregister(one)

    def _give_back(self) -> None:
        """The memory of the model; until `toolkit up` is called again, commands load it themselves."""
        self.given_back = True
        worker = self.standby
        if worker is not None:
            self._forget_standby()
            os.kill(worker.pid, signal.SIGKILL)
            self._reap(worker)

    def end(self) -> None:
        """Takes no command any more; those that run are finished."""
        if not self.ending:
            self.ending = True
            self.selector.unregister(self.listener)
            self.listener.close()
            self.path.unlink(missing_ok=True)
            self._give_back()

    def _fork(self, *, waits: bool) -> Worker:
        found = fork()
        if isinstance(found, Forked):
            raise InWorker(found, waits=waits)
        return found

    def _reap(self, worker: Worker) -> int:
        """The exit code, or the negative number of the signal. Waits for the end."""
        if worker.ended in self.selector.get_map():
            self.selector.unregister(worker.ended)
        _, status = os.waitpid(worker.pid, 0)
        os.close(worker.ended)
        worker.channel.close()
        return os.waitstatus_to_exitcode(status)

    def _watch(self, file: int | socket.socket, called: Callable[[], None]) -> None:
        self.selector.register(file, selectors.EVENT_READ, called)

    def _close(self) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self.lock)

    def _close_in_worker(self) -> None:
        """A worker that had these would hide the end of another's caller, or hold the lock of a keeper that is gone."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        for job in self.jobs:
            job.connection.close()
            job.worker.channel.close()
            os.close(job.worker.ended)
        for one in (self.listener, self.woken, self.waking):
            one.close()
        os.close(self.lock)


def _locked(path: Path) -> int:
    if not is_private(path.parent):
        raise ConfigError(
            f"{path.parent} is not a private folder of this user.", next="Remove it, or set XDG_RUNTIME_DIR to another."
        )
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(number)
        raise ConfigError("Another warm process starts or ends.", next="Try again in a moment.") from None
    return number
