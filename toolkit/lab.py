"""Fine-tunes and compares over a base model that stays loaded: at once, and again each time the data has changed."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.compare import CompareConfig, Load, compare
from toolkit.dataset import find_dataset
from toolkit.device import forget_peaks
from toolkit.errors import DataError
from toolkit.finetune import Doors, Edge, FinetuneConfig, finetune
from toolkit.probes import probes_beside
from toolkit.progress import Listener, silent
from toolkit.report import Report
from toolkit.run_record import Run
from toolkit.shared_base import SharedBase
from toolkit.sides import Side
from toolkit.stop import StopRequests

POLL_S = 0.3


@dataclass(frozen=True, kw_only=True)
class LabEdge:
    """Whom the lab talks to and listens to; `listening` opens a listener for a stretch of work."""

    stop: StopRequests
    listening: Callable[[], AbstractContextManager[Listener]] = lambda: nullcontext(silent)
    say: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, kw_only=True)
class LabDoors:
    """The strangers that it needs; tests hand in their own."""

    training: Doors
    load: Load
    wait: Callable[[], None] = lambda: time.sleep(POLL_S)

    @classmethod
    def over(cls, base: SharedBase) -> "LabDoors":
        return cls(training=Doors(train=base.train), load=base.load)


@dataclass(frozen=True, kw_only=True)
class Round:
    """`seconds`: from the change that was seen to the report."""

    run: Run
    report: Report
    side: Side
    seconds: float


@dataclass(kw_only=True)
class _Seen:
    """What the files held when they were last looked at."""

    files: Sequence[Path]
    content: tuple[str | None, ...] | None = field(default=None)

    def changed(self, wait: Callable[[], None]) -> bool:
        """Whether they hold something else, which is whole: an editor may be at it still."""
        now = self._content()
        if now == self.content:
            return False
        wait()
        if now != self._content():
            return False
        self.content = now
        return True

    def _content(self) -> tuple[str | None, ...]:
        return tuple(_sha256(path) for path in self.files)


def lab(config: FinetuneConfig, edge: LabEdge, doors: LabDoors) -> Iterator[Round | DataError]:
    """A round at once and after each change of the data set or the probes beside it; Ctrl-C ends it while it waits.

    Data that are wrong come out as the error, and the next change is waited for; everything else is raised.
    """
    data = find_dataset(config.data)
    seen = _Seen(files=(data, probes_beside(data)))
    while not edge.stop.requested:  # in a round's last step: that one is whole
        try:
            if not seen.changed(doors.wait):
                doors.wait()
                continue
        except KeyboardInterrupt:
            return
        try:
            yield _round(config, edge, doors)
        except DataError as error:
            yield error


def _round(config: FinetuneConfig, edge: LabEdge, doors: LabDoors) -> Round:
    started = time.perf_counter()
    forget_peaks()
    with edge.listening() as listener:
        run = finetune(config, Edge(stop=edge.stop, listener=listener, say=edge.say), doors.training)
        compared = CompareConfig(run=str(run.folder), model=config.model, output=config.output)
        report, side = compare(compared, listener=listener, load=doors.load)
    return Round(run=run, report=report, side=side, seconds=time.perf_counter() - started)


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # gone, or not there yet
        return None
