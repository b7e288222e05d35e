"""Jobs for one model in several processes: those that have it too take them from one queue, and so does this one.

A job is done the same wherever it is done: batches stay as they are, so the number of processes changes no answer.
"""

from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Protocol

Work = Callable[[Any, Any], Any]  # a function of a module, which another process finds by its name: model, job → result
ITSELF = "(itself)"  # in place of a side: the work switches the model itself
Done = tuple[int, Any, BaseException | None]  # a job's number, its result, or what was raised


class Other(Protocol):
    """A process that has the same model."""

    def does(self, work: Work, side: str | None, job: Any) -> Any: ...


class _Queue:
    """Numbered jobs, for several threads; none are left once it is closed."""

    def __init__(self, jobs: Sequence[Any]) -> None:
        self._jobs: Iterator[tuple[int, Any]] = enumerate(jobs)
        self._lock = Lock()

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        while True:
            with self._lock:
                found = next(self._jobs, None)
            if found is None:
                return
            yield found

    def close(self) -> None:
        with self._lock:
            self._jobs = iter(())


def spread(
    model: Any, work: Work, jobs: Sequence[Any], others: Sequence[Other] | None = None, *, switches: bool = False
) -> Iterator[tuple[int, Any]]:
    """What `work` makes of each job with the model, as it is switched now, beside the job's number, as they are done.

    `others` take jobs too; by default those of a LanguageModel. `switches`: the work switches the model, so that others
    have it as it is loaded: an adapter that is off stays off within. Raises what the first of them to fail raised.
    """
    if others is None:
        others = getattr(model, "others", ())
    side = ITSELF if switches else getattr(model, "switch", None)
    queue, done = _Queue(jobs), SimpleQueue[Done]()
    for one in others if len(jobs) > 1 else ():
        Thread(target=_feed, args=(one, work, side, queue, done), daemon=True).start()
    left = len(jobs)
    try:
        for at, job in queue:
            done.put((at, work(model, job), None))
            while not done.empty():
                left -= 1
                yield _result(done.get())
        for _ in range(left):
            yield _result(done.get())
    finally:
        queue.close()


def _feed(other: Other, work: Work, side: str | None, queue: _Queue, done: "SimpleQueue[Done]") -> None:
    for at, job in queue:
        try:
            done.put((at, other.does(work, side, job), None))
        except BaseException as error:  # noqa: BLE001  # it is raised where the results are
            done.put((at, None, error))
            return


def _result(done: Done) -> tuple[int, Any]:
    at, result, error = done
    if error is not None:
        raise error
    return at, result
