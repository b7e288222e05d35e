"""The runs of a sweep on several cards: a process a card, which trains and compares one run after the other.

They take the runs from one queue. This process trains nothing: it hands out, listens, and keeps the sweep's record. A
process that fails or is killed costs its run, and the others go on.
"""

import signal
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace

from toolkit.compare.texts import Texts
from toolkit.core.errors import Interrupted, TrainingError
from toolkit.core.events import Listener, stop_requests
from toolkit.core.startup import prepare_environment
from toolkit.model.cards.processes import Place, Process, Processes, ready
from toolkit.model.cards.worker import DONE, PROGRESS, Starter
from toolkit.sweep.record import FAILED, FINISHED, Entry
from toolkit.sweep.running.one import Shared, SweepCaller, run, shared_backends

WORK = f"{__name__}:work"
NOTE = "note"  # a kind of what a process says, beside those of every process
Numbered = tuple[int, Entry]


def run_on_cards(
    entries: Sequence[Numbered], shared: Shared, members: Sequence[Place], caller: SweepCaller,
    begun: Callable[[int, Entry], None], ended: Callable[[Entry], None],
) -> list[Numbered]:  # fmt: skip
    """Carries out these entries at these places, and returns those that a stop request, or a lack of processes, left.

    `begun`, `ended`: called here, with each entry. On a stop request every process is asked to stop: a training saves
    itself, a comparison ends at once.
    """
    prepare_environment()
    with Processes(WORK, TrainingError) as processes, caller.open_listener() as listener:
        processes.start(members[: len(entries)])
        for one in processes.all:
            one.tell((shared, caller.texts.language))
        runs = _Runs(entries, processes.all, caller, ended)
        caller.stop.gentle = True
        while runs.hand_out(begun):
            runs.listen(listener)
            runs.stop_if_requested()
        caller.stop.gentle = False
    return sorted(runs.left, key=lambda numbered: numbered[0])


class _Runs:
    """Which entries wait, which process has which, and what was left."""

    def __init__(
        self, entries: Sequence[Numbered], processes: Sequence[Process], caller: SweepCaller,
        ended: Callable[[Entry], None],
    ) -> None:  # fmt: skip
        self._waiting, self._idle, self._busy = deque(entries), list(processes), dict[Process, Numbered]()
        self._caller, self._ended, self._stopping = caller, ended, False
        self._stopped: list[Numbered] = []

    @property
    def left(self) -> list[Numbered]:
        return [*self._stopped, *self._waiting]

    def hand_out(self, begun: Callable[[int, Entry], None]) -> bool:
        """Gives every idle process an entry; whether any process has one now."""
        while self._idle and self._waiting and not self._caller.stop.requested:
            process, (number, entry) = self._idle.pop(0), self._waiting.popleft()
            begun(number, entry)
            self._busy[process] = number, entry
            process.tell(entry)
        return bool(self._busy)

    def listen(self, listener: Listener) -> None:
        for process in ready(list(self._busy)):
            number, _ = self._busy[process]
            kind, content = process.message()
            if kind == PROGRESS:
                listener(replace(content, task=f"{number}: {content.task}"))
            elif kind == NOTE:
                self._caller.notify(f"{number}: {content}")
            else:
                self._end(process, content if kind == DONE else None, content)

    def _end(self, process: Process, done: Entry | None, error: object) -> None:
        number, entry = self._busy.pop(process)
        if done is None:
            entry.status, entry.error = FAILED, str(error)
        else:
            vars(entry).update(vars(done))
            self._idle.append(process)
        if entry.status in {FINISHED, FAILED}:
            self._ended(entry)
        else:
            self._stopped.append((number, entry))

    def stop_if_requested(self) -> None:
        if self._caller.stop.requested and not self._stopping:
            self._stopping = True
            for process in self._busy:
                process.process.send_signal(signal.SIGINT)


def work(starter: Starter, _rank: str) -> None:
    """What a process does: it carries out entries, one after the other, until it is ended."""
    shared, language = starter.message()
    backends = shared_backends()
    with stop_requests(lambda _: None) as stop:
        caller = SweepCaller(
            stop=stop, open_listener=lambda: nullcontext(starter.hear_of), texts=Texts(language),
            notify=lambda text: starter.say(NOTE, text),
        )  # fmt: skip
        while True:
            entry: Entry = starter.message()
            with suppress(Interrupted, KeyboardInterrupt):
                run(entry, shared, caller, backends)
            starter.say(DONE, entry)
