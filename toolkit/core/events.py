"""Progress events, also from one process to another, stop requests, and the caller of a use case. Prints nothing."""

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TypeVar


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`done` of `total` units (steps, answers, bytes) of one task; `total` is None while it is unknown.

    `texts`: a batch of a model's answers, by the number of their prompts. `items`: what is finished now, as JSON values
    that another process may show.
    """

    task: str
    done: int
    total: int | None = None
    unit: str = ""  # "" for plain counts, "bytes" for sizes
    detail: str = ""  # such as "loss 0.42 · 14.7 GiB"
    texts: Mapping[int, str] = field(default_factory=dict)
    items: Sequence[Mapping[str, Any]] = ()

    @property
    def bare(self) -> "Progress":
        """Without what was finished."""
        return replace(self, texts={}, items=())


Listener = Callable[[Progress], None]
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
REPORTED_ITEMS = 4096  # of a second's work or less


class Counted(Protocol[T_co]):
    """Items of which there are so many, which may be made as they are asked for."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[T_co]: ...


def silent(_: Progress) -> None:
    """A listener that ignores everything."""


def reporting(items: Counted[T], task: str, listener: Listener) -> Iterator[T]:
    """The items, with an event after each REPORTED_ITEMS of them and at the end; without any for fewer."""
    for done, item in enumerate(items, start=1):
        yield item
        if done % REPORTED_ITEMS == 0 or done == len(items) > REPORTED_ITEMS:
            listener(Progress(task=task, done=done, total=len(items)))


@dataclass(frozen=True, kw_only=True)
class Task:
    """The last event of a task, and when its first and its last one came (seconds since the epoch)."""

    event: Progress
    began_at: float
    at: float

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None while nothing is known of it."""
        done, total = self.event.done, self.event.total
        if not total or not done or self.at <= self.began_at:
            return None
        return (self.at - self.began_at) / done * max(total - done, 0)


WRITTEN_EVERY_S = 0.3
FINISHED = frozenset({"texts", "items"})  # of an event: kept in lines of their own, or not at all


def writing_to(path: Path) -> Listener:
    """A listener that keeps the last event of each task in a file, for `read_tasks` in another process.

    Without fsync: it is of no use after a crash, and a training step must not wait for a disk.
    """
    tasks = {task.event.task: task for task in read_tasks(path)}  # of the command's earlier parts
    written = 0.0

    def listener(event: Progress) -> None:
        nonlocal written
        now, before = time.time(), tasks.get(event.task)
        if event.items:
            with suppress(OSError), items_file(path).open("a", encoding="utf-8") as file:
                file.writelines(json.dumps({"task": event.task, **item}) + "\n" for item in event.items)
        tasks[event.task] = Task(event=event.bare, began_at=before.began_at if before else now, at=now)
        if before and event.done != event.total and now - written < WRITTEN_EVERY_S:
            return
        written = now
        partial = path.with_name(f"{path.name}.partial")
        with suppress(OSError):  # such as a full disk: the work itself goes on
            partial.write_text(json.dumps([_stored(task) for task in tasks.values()]), encoding="utf-8")
            partial.replace(path)

    return listener


def _stored(task: Task) -> dict[str, Any]:
    value = asdict(task)
    return {**value, "event": {name: part for name, part in value["event"].items() if name not in FINISHED}}


def read_tasks(path: Path) -> list[Task]:
    """The tasks in the order in which they began; empty without such a file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [Task(event=Progress(**one["event"]), began_at=one["began_at"], at=one["at"]) for one in found]


def items_file(path: Path) -> Path:
    """Where the items of all events are, beside the tasks."""
    return path.with_name(f"{path.stem}-items.jsonl")


def read_items(path: Path) -> list[dict[str, Any]]:
    """The items in the order in which they were finished, each with its task; the last line may still be written."""
    try:
        lines = items_file(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    found = []
    for line in lines:
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


class StopRequests:
    """A first signal while `gentle` is set requests a stop; a second one, or one at any other time, interrupts.

    `gentle` is set while the work can still save itself. With `patient`, further signals are then ignored: torchrun and
    Slurm send several for one request, and kill what does not end.
    """

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self.gentle = self.patient = False
        self.requested = False

    def receive(self, number: int, _: FrameType | None) -> None:
        if self.gentle and not self.requested:
            self.requested = True
            second = "" if self.patient else "; a second signal stops at once"
            self._notify(f"{signal.Signals(number).name}: saving after this step{second}.")
            return
        if self.gentle and self.patient:
            return
        raise KeyboardInterrupt


@contextmanager
def stop_requests(notify: Callable[[str], None]) -> Iterator[StopRequests]:
    """Within, SIGINT, SIGTERM and SIGHUP go to the yielded requests. Main thread only."""
    stop = StopRequests(notify)
    with _handling((signal.SIGINT, *_terminations()), stop.receive):
        yield stop


@contextmanager
def interrupting_signals() -> Iterator[None]:
    """Within, SIGTERM and SIGHUP interrupt as Ctrl-C does, so that temporary files are removed. Main thread only."""
    with _handling(_terminations(), _interrupt):
        yield


def _terminations() -> tuple[signal.Signals, ...]:
    """SIGHUP comes when a terminal or an SSH connection is lost; under nohup it is ignored, and stays so."""
    return (signal.SIGTERM,) if ignores_hangup() else (signal.SIGTERM, signal.SIGHUP)


def ignores_hangup() -> bool:
    """Whether SIGHUP is ignored, as under nohup."""
    return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def _interrupt(number: int, _: FrameType | None) -> None:  # noqa: ARG001  # signal's signature
    raise KeyboardInterrupt


@contextmanager
def _handling(numbers: tuple[signal.Signals, ...], handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """How a use case talks to its caller: stop requests in, progress and notes out."""

    stop: StopRequests
    listener: Listener = silent
    notify: Callable[[str], None] = lambda _: None
