"""Jobs for several processes: one queue, every job once, and the first fault."""

from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from toolkit.core.errors import ModelError
from toolkit.model.decoding.spread import Work, spread


def doubled(model: Any, job: int) -> int:
    model.did.append(job)
    model.began.set()
    model.may_go_on.wait()
    return 2 * job


class Helper:
    """Another process: does jobs, and lets the first one go on with its first job once it has done so many."""

    def __init__(self, model: Any, until: int, error: Exception | None = None) -> None:
        self.model, self.until, self.error = model, until, error
        self.did: list[tuple[str | None, int]] = []

    def does(self, _work: Work, side: str | None, job: Any) -> Any:
        self.model.began.wait()  # else this one might do everything
        self.did.append((side, job))
        if len(self.did) == self.until:
            self.model.may_go_on.set()
        if self.error is not None:
            raise self.error
        return 2 * job


def model_of(*, until: int = 0, error: Exception | None = None) -> Any:
    model = SimpleNamespace(did=[], began=Event(), may_go_on=Event(), switch="tuned", others=())
    if until:
        model.others = [Helper(model, until, error)]
    else:
        model.may_go_on.set()
    return model


def test_alone_jobs_are_done_in_their_order():
    assert list(spread(model_of(), doubled, [3, 1, 2])) == [(0, 6), (1, 2), (2, 4)]


def test_whoever_is_free_takes_the_next_job_and_every_job_is_done_once():
    model = model_of(until=3)

    found = dict(spread(model, doubled, [10, 20, 30, 40]))

    assert found == {0: 20, 1: 40, 2: 60, 3: 80}
    [helper] = model.others
    assert sorted([*model.did, *(job for _, job in helper.did)]) == [10, 20, 30, 40]
    assert len(helper.did) == 3
    assert {side for side, _ in helper.did} == {"tuned"}


def test_a_single_job_is_done_here():
    model = model_of(until=1)
    model.may_go_on.set()

    assert list(spread(model, doubled, [7])) == [(0, 14)]
    assert model.others[0].did == []


def test_a_fault_elsewhere_is_raised_here_and_ends_the_rest():
    model = model_of(until=1, error=ModelError("The weights are broken."))

    with pytest.raises(ModelError, match="The weights are broken"):
        list(spread(model, doubled, list(range(1000))))
