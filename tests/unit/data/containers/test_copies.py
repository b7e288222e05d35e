"""Work on many parts in copies of this process."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from toolkit.core.errors import DataError, ToolkitError
from toolkit.data.containers.blobs import Blobs
from toolkit.data.containers.copies import MOST_COPIES, in_copies


@pytest.fixture(name="cores", autouse=True)
def _cores(monkeypatch: pytest.MonkeyPatch):
    def have(count: int) -> None:
        monkeypatch.setattr("toolkit.data.containers.copies.own_cores", lambda: count)

    have(3)
    return have


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="utf-8").split()


def test_results_come_in_the_order_of_the_parts_and_are_reported_as_they_are_done():
    done = []

    def work(part: int) -> int:
        time.sleep(0.3 if part == 0 else 0)
        return part

    assert list(in_copies(work, 9, done.append)) == list(range(9))
    assert sorted(done) == list(range(9))
    assert done[0] != 0


def test_each_copy_does_several_parts_and_none_is_left():
    before = children()

    found = list(in_copies(lambda _: os.getpid(), 50))

    assert 1 < len({*found}) <= 3
    assert os.getpid() not in found
    assert children() == before


@pytest.mark.parametrize(("cores_here", "parts", "copies"), [(64, 40, MOST_COPIES), (64, 2, 2), (1, 2, 0), (8, 1, 0)])
def test_there_are_as_many_copies_as_cores_and_parts(cores, cores_here: int, parts: int, copies: int):
    cores(cores_here)
    meet = 0.2 if copies else 0

    def work(_: int) -> int:
        time.sleep(meet)  # until each copy has begun one
        return os.getpid()

    found = {*in_copies(work, parts)}

    assert (len(found), os.getpid() in found) == (copies or 1, not copies)


def test_a_thread_beside_the_first_one_does_it_itself():
    found = []
    thread = threading.Thread(target=lambda: found.extend(in_copies(lambda _: os.getpid(), 5)))
    thread.start()
    thread.join()

    assert found == [os.getpid()] * 5


def test_what_a_part_raises_is_raised_here_and_the_others_end():
    before = children()

    def work(part: int) -> int:
        if part == 3:
            raise DataError("Bad row.", next="Correct it.")
        return part

    with pytest.raises(DataError, match=r"^Bad row\. Correct it\.$"):
        list(in_copies(work, 40))

    assert children() == before


def test_a_copy_that_is_killed_is_an_error_of_its_own():
    def work(part: int) -> int:
        return os.kill(os.getpid(), signal.SIGKILL) or part

    with pytest.raises(ToolkitError, match="has ended"):
        list(in_copies(work, 5))


def test_leaving_early_ends_them():
    before = children()
    results = in_copies(lambda part: part, 1000)

    next(results)
    results.close()

    assert children() == before


def test_files_of_blobs_come_back():
    def work(part: int) -> Blobs:
        blobs = Blobs(most_bytes=1)
        blobs.append(b"part %d" % part)
        return blobs

    assert [one[0] for one in in_copies(work, 3)] == [b"part 0", b"part 1", b"part 2"]


def test_the_tokenizers_have_one_core_in_a_copy_whatever_the_user_asked_for():
    """They would wait for threads that the copy does not have."""

    def work(_: int) -> str:
        return os.environ["TOKENIZERS_PARALLELISM"]

    assert [*in_copies(work, 2)] == ["false", "false"]


# Waits in copies, and is killed meanwhile.
KILLED = """
import os, signal, threading, time
from toolkit.data.containers.copies import in_copies

threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
list(in_copies(lambda _: time.sleep(60), 2))
"""


def test_the_copies_end_where_this_process_is_killed():
    """Their copies of stdout would be open for a minute, which is waited for."""
    done = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, timeout=40, check=False)

    assert done.returncode == -signal.SIGKILL
