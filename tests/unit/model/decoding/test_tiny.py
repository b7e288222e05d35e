"""A tiny model: one thread, and work in a second process, of which nothing is left whatever happens to it."""

import os
import pickle
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from toolkit.model.decoding.tiny import TINY_PARAMETERS, Meanwhile, meanwhile, one_if_tiny

TINY = SimpleNamespace(device=SimpleNamespace(type="cpu"), parameters=lambda: iter([torch.empty(1)]))


@pytest.fixture(name="cores")
def _cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def children() -> set[int]:
    return {int(one) for one in Path("/proc/self/task", str(os.getpid()), "children").read_text().split()}


@pytest.mark.usefixtures("cores")
def test_the_result_is_that_of_another_process():
    with meanwhile(TINY, lambda: (os.getpid(), "x" * 300_000)) as result:  # more than a pipe holds
        pid, text = result()

    assert pid != os.getpid()
    assert len(text) == 300_000


@pytest.mark.usefixtures("cores")
def test_both_work_at_the_same_time(tmp_path: Path):
    def other() -> str:
        (tmp_path / "there").touch()
        while not (tmp_path / "here").exists():
            time.sleep(0.01)
        return "both"

    with meanwhile(TINY, other) as result:
        until = time.monotonic() + 20
        while not (tmp_path / "there").exists() and time.monotonic() < until:
            time.sleep(0.01)
        (tmp_path / "here").touch()

        assert result() == "both"


def fails() -> None:
    raise ValueError("nobody reads this")


def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize("work", [fails, dies, lambda: (yield)])
def test_work_that_fails_or_cannot_be_sent_has_no_result(work, capfd: pytest.CaptureFixture[str]):
    with meanwhile(TINY, work) as result:
        assert result() is None

    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("cores")
def test_an_interruption_leaves_no_process():
    before, during = children(), set[int]()

    def interrupted() -> None:
        with meanwhile(TINY, lambda: time.sleep(60)):
            during.update(children())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert len(during - before) == 1
    assert children() == before


@pytest.mark.parametrize(
    ("network", "count"), [(TINY, 1), (None, 2), (SimpleNamespace(device=SimpleNamespace(type="cuda")), 2)]
)
def test_nothing_is_done_beside_with_one_core_or_another_model(
    monkeypatch: pytest.MonkeyPatch, network: SimpleNamespace | None, count: int
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)))

    with meanwhile(network, lambda: pytest.fail("it was done")) as result:
        assert result() is None


def test_half_a_result_is_none(monkeypatch: pytest.MonkeyPatch):
    whole = pickle.dumps("x" * 100)
    monkeypatch.setattr(pickle, "dumps", lambda _: whole[:50])
    begun = Meanwhile(lambda: "")

    assert begun.result() is None
    begun.end()


@pytest.fixture(name="two_threads")
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def network(parameters: int, kind: str = "cpu") -> SimpleNamespace:
    weights = [torch.empty(parameters, device="meta")]
    return SimpleNamespace(device=SimpleNamespace(type=kind), parameters=lambda: iter(weights))


@pytest.mark.usefixtures("two_threads")
def test_a_tiny_model_computes_with_one_thread():
    with one_if_tiny(network(TINY_PARAMETERS)):
        assert torch.get_num_threads() == 1


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("other", [network(TINY_PARAMETERS + 1), network(8, "cuda"), None])
def test_another_keeps_its_threads(other: SimpleNamespace | None):
    with one_if_tiny(other):
        assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_afterwards_there_are_as_many_as_before_even_after_an_error():
    with pytest.raises(ValueError), one_if_tiny(network(8)):  # noqa: PT011  # it is ours
        raise ValueError

    assert torch.get_num_threads() == 2
