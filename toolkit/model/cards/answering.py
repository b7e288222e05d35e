"""Answers from several processes, one a card: each of them has the model, and takes batches from one queue.

This process is one of them. What is not asked in batches it does by itself.
"""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from toolkit.core import environment
from toolkit.core.errors import ModelError
from toolkit.core.startup import prepare_environment
from toolkit.model.cards.processes import Place, Process, Processes, places
from toolkit.model.cards.worker import DONE, FAILED, Starter
from toolkit.model.decoding.spread import ITSELF, Work
from toolkit.model.device import card_count, use_threads
from toolkit.model.language_model import LanguageModel, Load, freeing, load_model

WORK = f"{__name__}:answer"
LOAD, DO = "load", "do"


class Answerer:
    """A process that has the same model as this one."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def does(self, work: Work, side: str | None, job: Any) -> Any:
        """The result of the job, with the model switched to this side. Raises what was raised there."""
        self.send(DO, (work, side, job))
        return self.answer()

    def send(self, what: str, content: object) -> None:
        # Not as the connection pickles it: torch makes it share tensors' memory, which only relatives can.
        self._process.tell(pickle.dumps((what, content)))

    def answer(self) -> Any:
        """Of what was last sent to it. Raises what was raised there."""
        kind, content = self._process.message()
        if kind != FAILED:
            return pickle.loads(content)  # noqa: S301  # of a process of this same command
        if isinstance(content, ModelError) and not content.next:
            raise ModelError(content.what, next="Start again.")
        raise content


class Answering:
    """Loads models here and in these processes."""

    def __init__(self, processes: Processes, load: Load) -> None:
        self._load, self._others = load, [Answerer(one) for one in processes.all]
        for one in self._others:
            one.send(LOAD, load)

    def load(self, folder: Path, adapters: Mapping[str, Path], *, in_4bit: bool = False) -> LanguageModel:
        """A `Load`: the model answers with the others' help. Raises what `load` raises, here or there."""
        for one in self._others:
            one.send(LOAD, ((folder, dict(adapters)), {"in_4bit": True} if in_4bit else {}))
        model = self._load(folder, adapters, in_4bit=True) if in_4bit else self._load(folder, adapters)
        for one in self._others:
            one.answer()
        model.others = self._others
        return model


@contextmanager
def answering(cards: str, load: Load = load_model) -> Iterator[Load]:
    """A `Load` whose models answer on so many cards (see `places`) within this context. Raises ConfigError.

    `load`: in each process; it has not loaded anything yet.
    """
    members = places(cards)
    if not members:
        yield load
        return
    with Processes(WORK, ModelError) as processes:
        _start(processes, members)
        yield Answering(processes, load).load


def _start(processes: Processes, members: Sequence[Place]) -> None:
    """All but the first, which is this one."""
    prepare_environment()
    processes.start(members[1:])
    if not card_count():
        threads = environment.of_process(0, 0, len(members), on_one_host=True)[environment.THREADS]
        if threads.isdecimal():  # else the user's list, which torch reads
            use_threads(int(threads))


def answer(starter: Starter, _rank: str) -> None:
    """What such a process does: it loads models, and does jobs with the last one, until it is ended."""
    prepare_environment()
    _, load = pickle.loads(starter.message())  # noqa: S301  # of the process that started this one
    with ExitStack() as loaded:
        while True:
            what, content = pickle.loads(starter.message())  # noqa: S301
            if what == LOAD:
                loaded.close()
                (folder, adapters), how = content
                model = loaded.enter_context(freeing(load(folder, adapters, **how)))
                starter.say(DONE, pickle.dumps(None))
            else:
                work, side, job = content
                with nullcontext() if side == ITSELF else model.side(side):
                    starter.say(DONE, pickle.dumps(work(model, job)))
