"""A sweep in two processes, by the command line: the runs of one, and what an end in the middle leaves."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.e2e.sweep.test_sweep import adapter, report
from tests.fakes.finetune_user import Call, FinetuneUser, _call, _user, wait_for, workers_of

__all__ = ["_call", "_user"]  # fixtures
JOB = ("sweep", "mine.json", "--recipes", "article", "--batch-size", "4", "--learning-rate", "0.01", "--seed", "1,2")


def entries(output: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(next(output.glob("sweeps/*/sweep.json")).read_text())["runs"]
    return found


def test_two_processes_make_the_runs_of_one(user: FinetuneUser, call: Call):
    alone = call(*JOB, "--model", user.model, "--epochs", "2")

    together = user.runs(*JOB, "--model", user.model, "--epochs", "2", "--output", "other", "--cards", "2")

    assert together.code == alone.code, together.err
    other = user.home / "other"
    for one, its_other in zip(entries(user.output), entries(other), strict=True):
        runs = user.output / one["run"], other / its_other["run"]
        assert one["settings"] == its_other["settings"]
        assert adapter(runs[0]) == adapter(runs[1])
        assert report(runs[0]) == report(runs[1])
    assert "1: Training 4/4" in together.err
    assert "2: Training 4/4" in together.err


def test_a_killed_process_costs_its_run_and_a_stop_saves_the_other(user: FinetuneUser):
    command = user.starts(*JOB, "--model", user.model, "--epochs", "400", "--cards", "2")
    wait_for(lambda: len([*user.output.glob("v*/logging.jsonl")]) == 2, command)
    os.kill(min(workers_of(command)), signal.SIGKILL)
    wait_for(lambda: entries(user.output)[0]["status"] == "failed", command)
    command.send_signal(signal.SIGINT)
    _, said = command.communicate()

    assert command.returncode == 130, said
    assert "Failed: Process 1 of 2 was ended by SIGKILL." in said
    assert "Interrupted in run 2 of 2; 0 finished. Continue with" in said
    _, stopped = entries(user.output)
    assert stopped["status"] == "interrupted"
    assert [*(user.output / stopped["run"]).glob("checkpoint-*/trainer_state.json")]
