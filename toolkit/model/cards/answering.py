"""Answers from several processes, one a card: each of them has the model, and takes batches from one queue.

This process is one of them. What is not asked in batches it does by itself.

A base model that does not fit on a card is shared out instead (`shares`): only this process then asks
it, and the others accompany each of its passes.
"""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from toolkit.core import environment
from toolkit.core.documents import read_json
from toolkit.core.errors import ModelError, first_line
from toolkit.core.startup import prepare_environment
from toolkit.model.cards.processes import Place, Process, Processes, places, ready
from toolkit.model.cards.shares import can_share, load_shares, require_sharing
from toolkit.model.cards.worker import DONE, FAILED, Starter
from toolkit.model.decoding.spread import ITSELF, Work
from toolkit.model.device import card_count, find_device, use_threads
from toolkit.model.families.sizes import weight_bytes_loaded
from toolkit.model.language_model import LanguageModel, Load, freeing, load_model

if TYPE_CHECKING:
    from toolkit.model.cards.group import Group

AGAIN = "Start again."
ROOM_BYTES = 4_000_000_000  # beside the weights, for the answers: less would be a few at a time
WORK = f"{__name__}:answer"
LOAD, SHARE, DO = "load", "share", "do"
LOOK_S = 0.5  # between looks at whether the others are there


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
        raise advised(content)


class Answering:
    """Loads models here and in these processes. `shard`: shared out; None: where they do not fit on a card."""

    def __init__(self, processes: Processes, load: Load, shard: bool | None) -> None:
        self._processes, self._load, self._shard = processes, load, shard
        self._others = [Answerer(one) for one in processes.all]
        self._shared, self._stores = ExitStack(), 0
        for one in self._others:
            one.send(LOAD, load)

    def load(self, folder: Path, adapters: Mapping[str, Path], *, in_4bit: bool = False) -> LanguageModel:
        """A `Load`: the model answers with the others' help. Raises what `load` raises, here or there."""
        self._shared.close()
        if self._shares(folder, in_4bit=in_4bit):
            return self._load_shares(folder, adapters)
        for one in self._others:
            one.send(LOAD, ((folder, dict(adapters)), {"in_4bit": True} if in_4bit else {}))
        model = self._load(folder, adapters, in_4bit=True) if in_4bit else self._load(folder, adapters)
        for one in self._others:
            one.answer()
        model.others = self._others
        return model

    def cause(self, error: RuntimeError) -> Exception:
        """Of an error here: that another process has ended, where one has."""
        from toolkit.model.cards.group import LostPeerError

        lost = isinstance(error, LostPeerError)
        for one in ready(self._processes.all) if lost or self._has_ended() else ():
            kind, content = one.message()
            if kind == FAILED:
                return advised(content)
        return ModelError(f"The processes have lost each other: {first_line(error)}.", next=AGAIN) if lost else error

    def _shares(self, folder: Path, *, in_4bit: bool) -> bool:
        """Raises ConfigError where it is asked for and not possible."""
        device = find_device()
        if not self._shard and device.free_bytes is None:
            return False
        config = read_json(folder / "config.json")
        if self._shard:
            require_sharing(config, in_4bit=in_4bit, on_cards=device.free_bytes is not None)
        if self._shard or device.free_bytes is None:
            return True
        if not can_share(config, in_4bit=in_4bit, on_cards=True):
            return False
        stored = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        return weight_bytes_loaded(config, stored, device.precision) > device.free_bytes - ROOM_BYTES

    def _load_shares(self, folder: Path, adapters: Mapping[str, Path]) -> LanguageModel:
        from toolkit.model.cards.group import join

        self._stores += 1
        store, size = f"file://{self._processes.temporary_folder()}/{self._stores}", 1 + len(self._others)
        for one in self._others:
            one.send(SHARE, (folder, store, size))
        for one in self._others:
            one.answer()  # it is there, and joins: nothing else ends a wait for it
        group = join(store, 0, size)
        self._shared.enter_context(self._watched(group))
        model = load_shares(folder, adapters, group)
        self._shared.enter_context(group.accompanied())
        return model

    @contextmanager
    def _watched(self, group: "Group") -> Iterator[None]:
        """Within, what waits on a card for a process that has ended ends too."""
        over = Event()

        def watch() -> None:
            while not over.wait(LOOK_S):
                if self._has_ended():
                    group.abandon()
                    return

        Thread(target=watch, daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def _has_ended(self) -> bool:
        return any(one.process.poll() is not None for one in self._processes.all)


def advised(error: Exception) -> Exception:
    """The error of another process, with what to do next."""
    return ModelError(error.what, next=AGAIN) if isinstance(error, ModelError) and not error.next else error


@contextmanager
def answering(cards: str, load: Load = load_model, *, shard: bool | None = None) -> Iterator[Load]:
    """A `Load` whose models answer on so many cards (see `places`) within this context. Raises ConfigError.

    `load`: in each process; it has not loaded anything yet. `shard`: see `Answering`; of no meaning on one card.
    """
    members = places(cards)
    if not members:
        yield load
        return
    with Processes(WORK, ModelError) as processes:
        _start(processes, members)
        found = Answering(processes, load, shard)
        try:
            yield found.load
        except RuntimeError as error:
            cause = found.cause(error)
            if cause is error:
                raise
            raise cause from None


def _start(processes: Processes, members: Sequence[Place]) -> None:
    """All but the first, which is this one."""
    prepare_environment()
    processes.start(members[1:])
    if not card_count():
        threads = environment.of_process(0, 0, len(members), on_one_host=True)[environment.THREADS]
        if threads.isdecimal():  # else the user's list, which torch reads
            use_threads(int(threads))


def answer(starter: Starter, rank: str) -> None:
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
            elif what == SHARE:
                loaded.close()
                folder, store, size = content
                starter.say(DONE, pickle.dumps(None))
                _accompany(folder, store, int(rank), size, loaded)
            else:
                work, side, job = content
                with nullcontext() if side == ITSELF else model.side(side):
                    starter.say(DONE, pickle.dumps(work(model, job)))


def _accompany(folder: Path, store: str, rank: int, size: int, loaded: ExitStack) -> None:
    from toolkit.model.cards.group import join

    group = join(store, rank, size)
    loaded.enter_context(freeing(load_shares(folder, {}, group)))
    group.accompany()
