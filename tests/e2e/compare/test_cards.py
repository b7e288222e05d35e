"""Questions spread over processes, by the command line: the report of one, and how it ends when one of them ends."""

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakes.command import run_here
from tests.fakes.finetune_user import FinetuneUser, wait_for, wait_for_end, workers_of
from tests.fakes.made_run import make_run
from toolkit.core.files import data_folder

OPTIONS = ("--outside", "60", "--probes", "probes.yaml", "--test", "mine.json", "--max-new-tokens", "8")
SHARD = "--shard"
TIMES = ("timings_s", "content_sha256")


@pytest.fixture(name="user")
def _user(lively_model: Path, tmp_path: Path) -> FinetuneUser:
    """With two runs, and questions for several batches."""
    user = FinetuneUser(tmp_path, lively_model)
    make_run(user.output, lively_model, number=0, seed=2, strength=0.3)
    make_run(user.output, lively_model, number=1, seed=3, strength=0.3)
    shipped = yaml.safe_load((data_folder() / "probes.yaml").read_text(encoding="utf-8"))
    user.writes("probes.yaml", yaml.safe_dump(shipped | {"systems": ["You are a travel guide."]}))
    return user


def report(user: FinetuneUser) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((user.run(1) / "compare" / "report.json").read_text(encoding="utf-8"))
    value["test"].pop("seconds")
    return {name: one for name, one in value.items() if name not in TIMES}


@pytest.mark.parametrize("shard", [(), (SHARD,)])
def test_two_processes_say_what_one_says(user: FinetuneUser, shard: tuple[str, ...]):
    """Byte for byte, also where several runs are ranked over one base: batches stay as they are."""
    with contextlib.chdir(user.home):
        alone = run_here("compare", "v1", *OPTIONS)
    expected = report(user)

    ranked = user.runs("compare", "v0", "v1", *OPTIONS, "--cards", "2", *shard)

    assert alone.code in {20, 21, 22}, alone.err
    assert ranked.code in {20, 21, 22}, ranked.err
    assert report(user) == expected


def starts(user: FinetuneUser, *options: str) -> tuple["subprocess.Popen[str]", int]:
    """A comparison in two processes, and the id of the one that helps."""
    command = user.starts("compare", "v1", *OPTIONS, "--cards", "2", *options)
    wait_for(lambda: bool(workers_of(command)), command)
    return command, workers_of(command)[0]


@pytest.mark.parametrize(
    ("killed", "number", "code", "said"),
    [
        ("helper", signal.SIGKILL, 4, "Process 2 of 2 was ended by SIGKILL. Start again."),
        ("command", signal.SIGINT, 130, "Interrupted"),
        ("command", signal.SIGKILL, -9, ""),
    ],
)
def test_the_end_of_one_is_the_end_of_all_and_nothing_is_written(
    user: FinetuneUser, killed: str, number: signal.Signals, code: int, said: str
):
    command, helper = starts(user)

    os.kill(helper if killed == "helper" else command.pid, number)
    _, err = command.communicate()

    assert command.returncode == code, err
    assert said in err
    wait_for_end(helper)
    assert not (user.run(1) / "compare").exists()


@pytest.mark.parametrize("until", ["", "Before "])
def test_a_process_that_is_killed_ends_those_that_share_a_model_with_it(user: FinetuneUser, until: str):
    """While it imports the libraries, and while answers are asked."""
    command, helper = starts(user, SHARD)
    assert command.stderr is not None
    while until and not command.stderr.readline().startswith(until):
        assert command.poll() is None

    os.kill(helper, signal.SIGKILL)
    _, err = command.communicate()

    assert command.returncode == 4, err
    assert "Process 2 of 2 was ended by SIGKILL. Start again." in err
    assert not (user.run(1) / "compare").exists()
