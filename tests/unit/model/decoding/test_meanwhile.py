"""Work in a second process: its result comes back, and whatever happens to it, nothing of it is left."""

import os
import pickle
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from toolkit.model.decoding.meanwhile import Meanwhile, meanwhile

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
