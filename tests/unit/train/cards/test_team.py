"""The processes of a training: which of them failed first."""

import subprocess
import sys
import tempfile
from multiprocessing.connection import Connection, Pipe
from typing import Any

import pytest

from toolkit.core.errors import ConfigError, DataError, ToolkitError, TrainingError
from toolkit.core.events import silent
from toolkit.model.cards.processes import Place, Process
from toolkit.model.cards.worker import DONE, FAILED, PROGRESS
from toolkit.train.cards import team
from toolkit.train.cards.team import Team, places
from toolkit.train.cards.worker import LOST


def test_under_torchrun_a_process_has_the_place_that_torchrun_gives_it(monkeypatch: pytest.MonkeyPatch):
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)

    assert places("1") == [Place(rank=5, size=8, card=1)]
    assert not Team(places("1")).leads
    with pytest.raises(ConfigError, match="under torchrun"):
        places("2")


class Processes(Team):
    """A team whose processes do nothing, and say what the test lets them say."""

    def __init__(self, *programs: str) -> None:
        super().__init__([Place(rank=rank, size=len(programs), card=rank) for rank in range(len(programs))])
        self.theirs: list[Connection[Any, Any]] = []
        for place, program in zip(self.places, programs, strict=True):
            ours, theirs = Pipe()
            self.theirs.append(theirs)
            output = tempfile.TemporaryFile()  # noqa: SIM115  # the team closes no file of its own here
            process = subprocess.Popen([sys.executable, "-c", program], stdout=output, stderr=output)
            process.wait()
            self._processes.all.append(
                Process(place=place, process=process, connection=ours, output=output, error=TrainingError)
            )

    def error(self) -> ToolkitError:
        with pytest.raises(ToolkitError) as caught:
            self.device("auto")
        return caught.value


def test_the_answer_is_that_of_the_first_process():
    with Processes("", "") as processes:
        processes.theirs[1].send((DONE, "another"))
        processes.theirs[0].send((PROGRESS, "event"))
        processes.theirs[0].send((DONE, "device"))

        assert processes.device("auto") == "device"
        assert processes.theirs[0].recv() == "auto"


def test_an_error_is_raised_as_the_process_raised_it():
    with Processes("", "") as processes:
        processes.theirs[0].send((LOST, RuntimeError("connection closed")))
        processes.theirs[1].send((FAILED, DataError("A row is wrong.", next="Correct it.")))

        error = processes.error()

    assert (type(error), str(error)) == (DataError, "A row is wrong. Correct it.")


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import os; os.kill(os.getpid(), 9)", "Process 2 of 2 was ended by SIGKILL. Start again."),
        ("import sys; sys.exit('no such device')", "ended with exit code 1. It said: no such device Start again."),
    ],
)
def test_a_process_that_ends_without_a_word_is_named_whoever_misses_it_first(program: str, why: str):
    with Processes("", program) as processes:
        processes.theirs[0].send((LOST, RuntimeError("connection closed by peer")))
        processes.theirs[1].close()

        error = processes.error()

    assert isinstance(error, TrainingError)
    assert why in str(error)


def test_processes_of_other_hosts_are_missed_without_a_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(team, "CAUSE_S", 0.01)
    with Processes("", "") as processes:
        processes.theirs[0].send((LOST, RuntimeError("connection closed by peer")))

        assert "have lost each other: connection closed by peer. Start again." in str(processes.error())


def test_a_stop_request_goes_to_the_first_process_once():
    with Processes("", "") as processes:
        asked = iter([False, True, True])

        def stop_requested() -> bool:
            if (now := next(asked, None)) is None:
                processes.theirs[0].send((DONE, None))
            return bool(now)

        processes._answer("job", silent, stop_requested=stop_requested)

        assert [processes.theirs[0].recv() for _ in range(2)] == ["job", "stop"]
        assert not processes.theirs[0].poll()
