"""One of several processes that train together.

It finds the others by a URL of torch.distributed, writes what is not kept to a folder, and hears from the process that
started it. That one tells the worker of rank 0 the precision and then the job; the others have both from there.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core.events import Listener, silent
from toolkit.model.cards.worker import DONE, Starter, portable
from toolkit.model.device import Device, find_device
from toolkit.train import ms_swift
from toolkit.train.job import TrainingJob, TrainingResult
from toolkit.train.questions.question import Question

if TYPE_CHECKING:
    from toolkit.model.cards.group import Group

WRITTEN, LOST = "written", "lost"  # kinds of what it says, beside those of every process
PRECISIONS = ("bfloat16", "float16", "float32")  # each is computed in wherever one before it is


def work(starter: Starter, rank: str, size: str, store: str, folder: str) -> None:
    """What the process does. Whatever it raises is for the starter to hear."""
    from toolkit.model.cards.group import LostPeerError, join

    try:
        _train(starter, join(store, int(rank), int(size)), Path(folder))
    except LostPeerError as error:
        starter.say(LOST, portable(error))


def _train(starter: Starter, group: "Group", folder: Path) -> None:
    """Says what the devices are, and what the training leaves."""
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
