"""Trains in several processes, one a card: they are started, watched and ended from here, the user's own process.

This process reads the data and keeps the run's folder, as when it trains by itself. It takes no part in the training,
so a process that fails, hangs or is killed costs the others, and not the record.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from toolkit.core import environment
from toolkit.core.errors import TrainingError, first_line
from toolkit.core.events import Listener, StopRequests, silent
from toolkit.core.startup import prepare_environment
from toolkit.model.cards import processes
from toolkit.model.cards.processes import Place, Process, Processes, ready
from toolkit.model.cards.worker import DONE, FAILED, PROGRESS, STOP
from toolkit.model.device import Device
from toolkit.runs.layout import complete_checkpoints, resume_command
from toolkit.train import ms_swift
from toolkit.train.cards.worker import LOST, WRITTEN, not_written
from toolkit.train.finetune import Backends
from toolkit.train.job import TrainingJob, TrainingResult

WORK = "toolkit.train.cards.worker:work"
CAUSE_S = 3.0  # for the cause to show, once a process has noticed that another is gone


def places(cards: str) -> list[Place]:
    """Of the processes that this one starts: one a card, or as torchrun says; none where it trains by itself.

    `cards`: see `processes.places`. Raises ConfigError.
    """
    if cards == "1" and (launched := environment.launched()) is not None:
        rank, size, card = launched
        return [Place(rank=rank, size=size, card=card)] if size > 1 else []
    return processes.places(cards)


class Team:
    """The processes at these places, started when training begins, and ended with this context."""

    def __init__(self, members: Sequence[Place]) -> None:
        self.places = members
        self._processes = Processes(WORK, TrainingError)
        self._folder: Path | None = None  # the run's

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.__exit__()

    @property
    def leads(self) -> bool:
        """Whether this process is the one of all hosts that reads the data and keeps the run's folder."""
        return not self.places or self.places[0].rank == 0

    @property
    def backends(self) -> Backends | None:
        """None where this process trains by itself."""
        if not self.places:
            return None
        return Backends(imports=self.start, train=self.train, device=self.device)

    def start(self) -> None:
        """Starts the processes, which import the libraries meanwhile. Raises ConfigError."""
        prepare_environment()
        folder, launched = self._processes.temporary_folder(), environment.launched() is not None
        store = "env://" if launched else f"file://{folder}/store"
        size = self.places[0].size
        self._processes.start(self.places, size, store, folder, on_one_host=not launched)
        environment.forget_launcher()  # the libraries that this process imports would obey it
        ms_swift.import_encoder()

    def device(self, precision: str) -> Device:
        found: Device = self._answer(precision, silent)
        return found

    def train(self, job: TrainingJob, listener: Listener, stop_requested: Callable[[], bool]) -> TrainingResult:
        """As `ms_swift.train`, but the model does not come back. Raises what the first process to fail raised."""
        self._folder = job.run_folder
        questions = job.questions
        sent = job if questions is None else replace(job, questions=replace(questions, written=not_written))
        written = (lambda *_: None) if questions is None else questions.written
        result: TrainingResult = self._answer(sent, listener, written, stop_requested)
        return result

    def assist(self, stop: StopRequests) -> None:
        """For a host's process that does not lead: starts its worker and waits for its end. Raises ToolkitError."""
        stop.gentle = True  # the first signal is the leader's too, and its training saves before it ends
        self.start()
        for _ in range(2):  # the devices, and the training
            self._heard(silent, lambda *_: None, lambda: False)

    def _answer(
        self, message: object, listener: Listener, written: Callable[..., None] = lambda *_: None,
        stop_requested: Callable[[], bool] = lambda: False,
    ) -> Any:  # fmt: skip
        first = self._processes.all[0]
        first.tell(message)
        return self._heard(listener, written, stop_requested, lambda: first.tell(STOP))

    def _heard(
        self, listener: Listener, written: Callable[..., None], stop_requested: Callable[[], bool],
        stop: Callable[[], None] = lambda: None,
    ) -> Any:  # fmt: skip
        """Listens to every process until the first of them is done."""
        stopping = False
        while True:
            for one in ready(self._processes.all):
                kind, content = one.message()
                if kind == PROGRESS:
                    listener(content)
                elif kind == WRITTEN:
                    written(*content)
                elif kind == DONE and one is self._processes.all[0]:
                    return content
                elif kind in (FAILED, LOST):
                    raise self._cause(one, kind, content)
            if stop_requested() and not stopping:
                stopping = True
                stop()

    def _cause(self, one: Process, kind: str, content: Exception) -> Exception:
        """The error of the process that failed first: those that only miss it say so at about the same time."""
        waiting, until = [other for other in self._processes.all if other is not one], time.monotonic() + CAUSE_S
        while kind == LOST and waiting and time.monotonic() < until:
            for other in ready(waiting):
                its_kind, error = other.message()
                if its_kind in (FAILED, LOST):
                    waiting.remove(other)
                if its_kind == FAILED:
                    kind, content = its_kind, error
        if kind == LOST:
            content = TrainingError(f"The processes have lost each other: {first_line(content)}.")
        if isinstance(content, TrainingError) and not content.next:
            return TrainingError(content.what, next=self._advice())
        return content

    def _advice(self) -> str:
        if self._folder is not None and complete_checkpoints(self._folder):
            return f'Continue with "{resume_command(self._folder)}".'
        return "Start again."
