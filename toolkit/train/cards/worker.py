"""One of several processes that train together.

    python -m toolkit.train.cards.worker RANK SIZE STORE FOLDER DESCRIPTOR

It finds the others by STORE (a URL of torch.distributed), writes what is not kept to FOLDER, and hears by DESCRIPTOR
from the process that started it. That one tells the worker of rank 0 the precision and then the job; the others have
both from there. What a worker says is a pair: one of the kinds below, and the content.
"""

import os
import pickle
import sys
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.pool import ExceptionWithTraceback  # type: ignore[attr-defined]  # typeshed leaves it out
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from toolkit.core.environment import forget_launcher, let_waiting_threads_sleep
from toolkit.core.events import Listener, Progress, silent
from toolkit.core.startup import relax_gc
from toolkit.model.device import Device, find_device
from toolkit.train import ms_swift
from toolkit.train.job import TrainingJob, TrainingResult
from toolkit.train.questions.question import Question

if TYPE_CHECKING:
    from toolkit.train.passes.group import Group

PROGRESS, WRITTEN, DONE, FAILED, LOST = "progress", "written", "done", "failed", "lost"
STOP = "stop"  # said to the worker of rank 0
PRECISIONS = ("bfloat16", "float16", "float32")  # each is computed in wherever one before it is


class Starter:
    """The process that started this one, to a worker. When it is gone, this process ends too, whatever it does."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection, self._messages, self._stop = connection, SimpleQueue[Any](), Event()
        Thread(target=self._listen, daemon=True).start()

    def message(self) -> Any:
        """The next one, once it is there."""
        return self._messages.get()

    def stop_requested(self) -> bool:
        return self._stop.is_set()

    def say(self, kind: str, content: object = None) -> None:
        self._connection.send((kind, content))

    def hear_of(self, event: Progress) -> None:
        """A listener of events."""
        self.say(PROGRESS, event)

    def _listen(self) -> None:
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                os._exit(1)
            if message == STOP:
                self._stop.set()
            else:
                self._messages.put(message)


def join(store: str, rank: int, size: int) -> "Group":
    """The group of all workers, once every one is there."""
    from torch.distributed import rendezvous  # type: ignore[attr-defined]

    from toolkit.train.passes.group import Group

    found, _, _ = next(rendezvous(store, rank, size))
    forget_launcher()  # the libraries would take its variables for an order to divide the work themselves
    return Group(found, rank, size)


def work(starter: Starter, group: "Group", folder: Path) -> None:
    """Says what the devices are, and what the training leaves. Whatever it raises is for the starter to hear."""
    ms_swift.import_all()
    starter.say(DONE, alike(group.every(find_device(group.first(starter.message)))))
    job: TrainingJob = group.first(starter.message)
    listener: Listener = silent
    if group.rank > 0:
        job = replace(job, run_folder=folder / f"process-{group.rank}")
    else:
        listener = starter.hear_of
        if job.questions is not None:
            job = replace(job, questions=replace(job.questions, written=lambda *all_: starter.say(WRITTEN, all_)))
    result = ms_swift.train(job, listener, lambda: group.first(starter.stop_requested), group=group)
    peaks = group.every(result.peak_memory_bytes)
    left: TrainingResult = replace(result, model=None, tokenizer=None, peak_memory_bytes=max(peaks))
    starter.say(DONE, left)


def alike(devices: Sequence[Device]) -> Device:
    """What all of them have: the memory of the fullest, and a precision that each computes in."""
    least = min(devices, key=lambda one: one.free_bytes or 0)
    names = " and ".join(dict.fromkeys(one.name for one in devices))
    precise = max(devices, key=lambda one: PRECISIONS.index(one.precision))
    return replace(least, name=names, precision=precise.precision, reason=precise.reason, cards=len(devices))


def not_written(_questions: Sequence[Question], _seconds: float) -> None:
    """In place of a job's `written`, which stays with the starter."""


def portable(error: BaseException) -> Any:
    """The error with its traceback, as another process can raise it."""
    try:
        found = ExceptionWithTraceback(error, error.__traceback__)
        pickle.loads(pickle.dumps(found))  # noqa: S301  # our own bytes
    except Exception:  # noqa: BLE001  # pickling runs whatever the error's class defines
        return ExceptionWithTraceback(RuntimeError(f"{type(error).__name__}: {error}"), error.__traceback__)
    return found


def main(rank: int, size: int, store: str, folder: str, descriptor: int) -> None:
    let_waiting_threads_sleep()
    relax_gc()
    starter = Starter(Connection(descriptor))
    try:
        work(starter, join(store, rank, size), Path(folder))
    except BaseException as error:  # noqa: BLE001  # the starter raises it
        from toolkit.train.passes.group import LostPeerError

        starter.say(LOST if isinstance(error, LostPeerError) else FAILED, portable(error))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]))
    sys.stdout.flush()
    os._exit(0)  # else what is left of the group waits for the others, or aborts without them
