"""Rows encoded by several processes, where there are many rows and cores: parts of them are taken from one queue.

They import the libraries while this process does, and then take parts along with it. What is encoded is the same.
"""

import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from toolkit.core.errors import DataError
from toolkit.core.events import Listener, Progress
from toolkit.core.startup import prepare_environment
from toolkit.data.dataset import Row
from toolkit.data.encoding import ROWS_AT_ONCE, TOKENS, Encoded, Encoder
from toolkit.model.cards.answering import DO, LOAD, Answerer
from toolkit.model.cards.processes import Place, Processes
from toolkit.model.cards.worker import DONE, Starter
from toolkit.model.decoding.spread import Other, spread

WORK = f"{__name__}:encode"
LEAST_ROWS = 131_072  # for each process: fewer are encoded before its imports are done
MOST_PROCESSES = 8  # beside this one; each takes 0.5 GB of memory


def idle_cores() -> int:
    """Beside the one that this process uses, by the load of the last minute; on a busy machine more processes delay."""
    return max(0, (os.cpu_count() or 1) - 1 - round(os.getloadavg()[0]))


@contextmanager
def encoding_processes(rows: int, model_folder: Path | None, max_length_tokens: int) -> Iterator[Sequence[Other]]:
    """Processes that encode along with an encoder for this model within this context; none for few rows."""
    count = min(idle_cores(), MOST_PROCESSES, rows // LEAST_ROWS)
    if count <= 0 or model_folder is None:
        yield ()
        return
    with Processes(WORK, DataError) as processes:
        prepare_environment()
        processes.start([Place(rank=rank, size=count + 1, card=0) for rank in range(1, count + 1)], cards=0)
        others = [Answerer(one) for one in processes.all]
        for one in others:
            one.send(LOAD, (model_folder, max_length_tokens))
        yield others


def encode(starter: Starter, _rank: str) -> None:
    """What such a process does, until it is ended."""
    from toolkit.train.ms_swift import encoder, import_encoder

    import_encoder()
    _, (model_folder, max_length_tokens) = pickle.loads(starter.message())  # noqa: S301  # of this same command
    own = encoder(model_folder, max_length_tokens)
    while True:
        what, (work, _, job) = pickle.loads(starter.message())  # noqa: S301
        assert what == DO
        starter.say(DONE, pickle.dumps(work(own, job)))


def encoded(
    encoder: Encoder, rows: Sequence[Row], listener: Listener, others: Sequence[Other] = ()
) -> Iterator[Encoded]:
    """The rows' tokens, ROWS_AT_ONCE at a time, with an event after each of these if there are several."""
    parts = [rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE)]
    found: dict[int, list[Encoded]] = {}
    done = shown = 0
    for at, part in spread(encoder, _encoded, parts, others):
        found[at], done = part, done + len(part)
        if len(parts) > 1:
            listener(Progress(task=TOKENS, done=done, total=len(rows)))
        while shown in found:
            yield from found.pop(shown)
            shown += 1


def _encoded(encoder: Encoder, rows: Sequence[Row]) -> list[Encoded]:
    return encoder.encode(rows)
