"""Processes that this one starts, one a card: how many there are, what they hear and say, and how they end.

What they do is a function that `toolkit.model.cards.worker` calls in each of them. What hangs or crashes there costs
the others, and not this process.
"""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import IO, Any, Self

from toolkit.core import environment
from toolkit.core.errors import ConfigError, ToolkitError
from toolkit.model.cards.worker import FAILED
from toolkit.model.device import card_count

ALL = "all"
LOOK_S = 0.1  # between looks at whether a stop was requested
ENDING_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """A process's number among all, on all hosts, and the number of its card among those of this host."""

    rank: int
    size: int
    card: int


def places(cards: str) -> list[Place]:
    """Of processes on this host, one a card; none where one process is enough. Raises ConfigError.

    `cards`: a number, or ALL. On a machine without cards a number is that of processes.
    """
    if cards == "1":
        return []
    if environment.launched() is not None:
        raise ConfigError(f"--cards {cards} under torchrun.", next="Leave one of the two out.")
    there = card_count()
    size = max(1, there) if cards == ALL else int(cards)
    if there and size > there:
        raise ConfigError(
            f"--cards {cards}: this machine has {there}.",
            next=f"Use --cards {there}, or several hosts (docs/scale.md).",
        )
    return [Place(rank=rank, size=size, card=rank) for rank in range(size)] if size > 1 else []


@dataclass(frozen=True, kw_only=True)
class Process:
    """`output`: what it wrote to stdout and stderr: the libraries' noise, or its last words.

    `error`: the class of its end without a word.
    """

    place: Place
    process: "subprocess.Popen[bytes]"
    connection: "Connection[Any, Any]"
    output: IO[bytes]
    error: type[ToolkitError]

    @property
    def name(self) -> str:
        return f"Process {self.place.rank + 1} of {self.place.size}"

    def tell(self, message: object) -> None:
        """One that has ended says so where it is heard."""
        with suppress(OSError):
            self.connection.send(message)

    def message(self) -> tuple[str, Any]:
        """What it says next, once it does; its end without a word is a failure."""
        try:
            kind, content = self.connection.recv()
        except (EOFError, OSError):
            return FAILED, self.error(self._end())
        return kind, content

    def _end(self) -> str:
        try:
            code = self.process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            return f"{self.name} has closed its connection."
        if code < 0:
            return f"{self.name} was ended by {signal.Signals(-code).name}.{self._last_words()}"
        return f"{self.name} ended with exit code {code}.{self._last_words()}"

    def _last_words(self) -> str:
        self.output.seek(0)
        lines = [line.strip() for line in self.output.read().decode(errors="replace").splitlines() if line.strip()]
        return f" It said: {lines[-1][:300]}" if lines else ""


class Processes:
    """Those that are started within this context, at whose end they are killed: what there is to save is saved then.

    `work`: the function that each of them calls, as `module:name`. `error`: see `Process`.
    """

    def __init__(self, work: str, error: type[ToolkitError]) -> None:
        self.all: list[Process] = []
        self._work, self._error, self._stack = work, error, ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.all:
            one.process.kill()
            one.process.wait()
            one.connection.close()
        self._stack.close()

    def temporary_folder(self) -> str:
        """Which is removed with the context."""
        return self._stack.enter_context(tempfile.TemporaryDirectory(prefix="toolkit-cards-"))

    def start(
        self, members: Sequence[Place], *arguments: object, on_one_host: bool = True, cards: int | None = None
    ) -> None:
        """At each of these places; `work` gets the arguments as text, after its starter and the place's rank.

        `cards`: of this machine; 0 for processes that use none.
        """
        cards = card_count() if cards is None else cards
        variables = [environment.of_process(one.card, cards, one.size, on_one_host=on_one_host) for one in members]
        for place, its_variables in zip(members, variables, strict=True):
            self.all.append(self._started(place, its_variables, [place.rank, *arguments]))

    def _started(self, place: Place, variables: dict[str, str], arguments: Sequence[object]) -> Process:
        ours, theirs = Pipe()
        output = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # it is closed with the others
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "toolkit.model.cards.worker", self._work, str(theirs.fileno()),
                 *map(str, arguments)],
                env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal is for this process only
            )  # fmt: skip
        return Process(place=place, process=process, connection=ours, output=output, error=self._error)


def ready(processes: Sequence[Process]) -> list[Process]:
    """Those that have said something, or have ended; none after a moment without."""
    found = wait([one.connection for one in processes], LOOK_S)
    return [one for one in processes if one.connection in found]
