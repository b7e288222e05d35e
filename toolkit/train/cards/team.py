"""Trains in several processes, one a card: they are started, watched and ended from here, the user's own process.

This process reads the data and keeps the run's folder, as when it trains by itself. It takes no part in the training,
so a process that fails, hangs or is killed costs the others, and not the record.
"""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import IO, Any, Self

from toolkit.core import environment
from toolkit.core.errors import ConfigError, TrainingError, first_line
from toolkit.core.events import Listener, StopRequests, silent
from toolkit.core.startup import prepare_environment
from toolkit.model.device import Device, card_count
from toolkit.runs.layout import complete_checkpoints, resume_command
from toolkit.train import ms_swift
from toolkit.train.cards.worker import DONE, FAILED, LOST, PROGRESS, STOP, WRITTEN, not_written
from toolkit.train.finetune import Backends
from toolkit.train.job import TrainingJob, TrainingResult

ALL = "all"
LOOK_S = 0.1  # between looks at whether a stop was requested
CAUSE_S = 3.0  # for the cause to show, once a process has noticed that another is gone
ENDING_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """A process's number among all, on all hosts, and the number of its card among those of this host."""

    rank: int
    size: int
    card: int


@dataclass(frozen=True, kw_only=True)
class _Worker:
    place: Place
    process: "subprocess.Popen[bytes]"
    connection: "Connection[Any, Any]"
    output: IO[bytes]  # what it wrote to stdout and stderr: the libraries' noise, or its last words

    @property
    def name(self) -> str:
        return f"Process {self.place.rank + 1} of {self.place.size}"

    def end(self) -> Exception:
        """Why it ended without a word."""
        try:
            code = self.process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            return TrainingError(f"{self.name} has closed its connection.")
        if code < 0:
            return TrainingError(f"{self.name} was ended by {signal.Signals(-code).name}.{self._last_words()}")
        return TrainingError(f"{self.name} ended with exit code {code}.{self._last_words()}")

    def _last_words(self) -> str:
        self.output.seek(0)
        lines = [line.strip() for line in self.output.read().decode(errors="replace").splitlines() if line.strip()]
        return f" It said: {lines[-1][:300]}" if lines else ""


def places(cards: str) -> list[Place]:
    """Of the processes that this one starts: one a card, or as torchrun says; none where it trains by itself.

    `cards`: a number, or ALL. On a machine without cards a number is that of processes. Raises ConfigError.
    """
    if (launched := environment.launched()) is not None:
        if cards != "1":
            raise ConfigError(f"--cards {cards} under torchrun.", next="Leave one of the two out.")
        rank, size, card = launched
        return [Place(rank=rank, size=size, card=card)] if size > 1 else []
    if cards == "1":
        return []
    there = card_count()
    size = max(1, there) if cards == ALL else int(cards)
    if there and size > there:
        raise ConfigError(
            f"--cards {cards}: this machine has {there}.",
            next=f"Use --cards {there}, or several hosts (docs/scale.md).",
        )
    return [Place(rank=rank, size=size, card=rank) for rank in range(size)] if size > 1 else []


class Team:
    """The processes at these places, started when training begins, and ended with this context."""

    def __init__(self, members: Sequence[Place]) -> None:
        self.places = members
        self._workers: list[_Worker] = []
        self._stack = ExitStack()
        self._folder: Path | None = None  # the run's

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """What there is to save has been saved by now."""
        for one in self._workers:
            one.process.kill()
            one.process.wait()
            one.connection.close()
        self._stack.close()

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
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="toolkit-cards-"))
        launched, cards = environment.launched() is not None, card_count()
        store = "env://" if launched else f"file://{folder}/store"
        variables = [
            environment.of_process(one.card, cards, one.size, on_one_host=not launched) for one in self.places
        ]  # fmt: skip
        environment.forget_launcher()  # the libraries that this process imports would obey it
        for place, its_variables in zip(self.places, variables, strict=True):
            self._workers.append(self._started(place, store, folder, its_variables))
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

    def _started(self, place: Place, store: str, folder: str, variables: dict[str, str]) -> _Worker:
        ours, theirs = Pipe()
        output = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # it is closed with the others
        arguments = map(str, (place.rank, place.size, store, folder, theirs.fileno()))
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "toolkit.train.cards.worker", *arguments], env=variables,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal is for this process only
            )  # fmt: skip
        return _Worker(place=place, process=process, connection=ours, output=output)

    def _answer(
        self, message: object, listener: Listener, written: Callable[..., None] = lambda *_: None,
        stop_requested: Callable[[], bool] = lambda: False,
    ) -> Any:  # fmt: skip
        first = self._workers[0].connection
        with suppress(OSError):  # it has ended, and has said why
            first.send(message)
        return self._heard(listener, written, stop_requested, lambda: first.send(STOP))

    def _heard(
        self, listener: Listener, written: Callable[..., None], stop_requested: Callable[[], bool],
        stop: Callable[[], None] = lambda: None,
    ) -> Any:  # fmt: skip
        """Listens to every process until the first of them is done."""
        stopping = False
        while True:
            for one in _ready(self._workers):
                kind, content = _message(one)
                if kind == PROGRESS:
                    listener(content)
                elif kind == WRITTEN:
                    written(*content)
                elif kind == DONE and one is self._workers[0]:
                    return content
                elif kind in (FAILED, LOST):
                    raise self._cause(one, kind, content)
            if stop_requested() and not stopping:
                stopping = True
                with suppress(OSError):
                    stop()

    def _cause(self, one: _Worker, kind: str, content: Exception) -> Exception:
        """The error of the process that failed first: those that only miss it say so at about the same time."""
        waiting, until = [other for other in self._workers if other is not one], time.monotonic() + CAUSE_S
        while kind == LOST and waiting and time.monotonic() < until:
            for other in _ready(waiting):
                its_kind, error = _message(other)
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


def _ready(workers: Sequence[_Worker]) -> list[_Worker]:
    """Those that have said something, or have ended; none after a moment without."""
    ready = wait([one.connection for one in workers], LOOK_S)
    return [one for one in workers if one.connection in ready]


def _message(one: _Worker) -> tuple[str, Any]:
    """What it says next; its end without a word is a failure."""
    try:
        kind, content = one.connection.recv()
    except (EOFError, OSError):
        return FAILED, one.end()
    return kind, content
