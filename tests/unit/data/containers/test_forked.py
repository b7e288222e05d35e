"""Work in a copy of this process: what comes back of it."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from toolkit.core.errors import DataError, ToolkitError
from toolkit.data.containers.blobs import Blobs
from toolkit.data.containers.forked import Forked

HOME = os.getpid()


def test_what_the_work_says_and_returns_comes_back_from_another_process():
    heard = []

    def work(say):
        say("one")
        say(2)
        return os.getpid()

    with Forked(work, heard.append) as forked:
        assert forked.result() != HOME

    assert heard == ["one", 2]


@pytest.mark.parametrize("most_bytes", [1, 1000])
def test_blobs_come_back_from_memory_and_from_a_file(most_bytes):
    def work(_):
        blobs = Blobs(most_bytes)
        blobs.append(b"one")
        blobs.append(b"two")
        return blobs, blobs.chosen([1])

    with Forked(work, print) as forked:
        every, second = forked.result()

    assert ([every[0], every[1]], second[0], len(second)) == ([b"one", b"two"], b"two", 1)


def test_its_errors_are_raised_here():
    def work(_):
        raise DataError("Bad rows.", next="Correct them.")

    with Forked(work, print) as forked, pytest.raises(DataError, match=r"^Bad rows\. Correct them\.$"):
        forked.result()


def test_a_process_that_is_killed_is_an_error_of_its_own():
    with (
        Forked(lambda _: os.kill(os.getpid(), signal.SIGKILL), print) as forked,
        pytest.raises(ToolkitError, match="ended"),
    ):
        forked.result()


def test_leaving_early_ends_it():
    with Forked(lambda _: signal.pause(), print) as forked:
        pid = forked._pid

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


# Waits in a copy for something that nobody says, and is killed meanwhile.
KILLED = """
import os, signal, time
from toolkit.data.containers.forked import Forked

def work(say):
    say("begun")
    time.sleep(60)

with Forked(work, lambda _: os.kill(os.getpid(), signal.SIGKILL)) as forked:
    forked.result()
"""


def test_the_copy_ends_where_this_process_is_killed():
    """Its copy of stdout would be open for a minute, which is waited for."""
    done = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, timeout=40, check=False)

    assert done.returncode == -signal.SIGKILL


def test_what_is_said_is_heard_before_the_work_is_done():
    heard = threading.Event()
    asked, answered = os.pipe()

    def work(say):
        say("go on")
        return os.read(asked, 2)

    with Forked(work, lambda _: heard.set()) as forked:
        assert heard.wait(30)
        os.write(answered, b"ok")

        assert forked.result() == b"ok"


def test_a_listener_that_fails_is_an_error_of_the_result():
    def hear(_):
        raise BrokenPipeError

    with Forked(lambda say: say(1), hear) as forked, pytest.raises(BrokenPipeError):
        forked.result()
