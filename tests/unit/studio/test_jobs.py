"""Jobs are real commands in child processes; their state is in files, whoever started them."""

import errno
import os
import signal
import time
from pathlib import Path

import pytest

from toolkit.core.errors import ConfigError
from toolkit.core.files import is_locked, lock_folder
from toolkit.studio.jobs import DONE, FAILED, LOST, RUNNING, STOPPED, Job, Jobs


@pytest.fixture(name="jobs")
def _jobs(tmp_path: Path) -> Jobs:
    (tmp_path / "jobs").mkdir()
    return Jobs(tmp_path / "jobs", tmp_path)


@pytest.fixture(name="waiting")
def _waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ends at SIGTERM with the code of an interruption, as the toolkit does."""
    script = "trap 'echo saved; exit 130' TERM; echo begun; while true; do sleep 0.05; done"
    monkeypatch.setattr("toolkit.studio.jobs.PROGRAM", ("/bin/bash", "-c", script))


def ended(jobs: Jobs, job: Job) -> Job:
    until = time.monotonic() + 60
    while (now := jobs.find(job.number)).state == RUNNING or now.record.code is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    return now


def begun(jobs: Jobs, job: Job) -> None:
    until = time.monotonic() + 60
    while "begun" not in jobs.find(job.number).answer:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_job_is_the_command_itself(jobs: Jobs):
    job = ended(jobs, jobs.start("check", "x", ("--version",)))

    assert (job.state, job.record.code) == (DONE, 0)
    assert job.answer.startswith("toolkit, version ")
    assert job.command.endswith("toolkit --version")


def test_a_failed_job_says_why(jobs: Jobs):
    job = ended(jobs, jobs.start("train", "none.json", ("finetune", "none.json", "--model", "no-such-model")))

    assert job.state == FAILED
    assert "no-such-model" in job.error


def test_nothing_of_the_work_folder_is_imported(jobs: Jobs, tmp_path: Path):
    (tmp_path / "toolkit").mkdir()
    (tmp_path / "toolkit" / "__init__.py").write_text("raise SystemExit(77)", encoding="utf-8")
    (tmp_path / "click.py").write_text("raise SystemExit(78)", encoding="utf-8")

    assert ended(jobs, jobs.start("check", "x", ("--version",))).state == DONE


def test_one_job_runs_at_a_time(jobs: Jobs, waiting):
    job = jobs.start("train", "x", ("finetune", "x"))

    with pytest.raises(ConfigError, match=f"Job {job.number} is still running"):
        jobs.start("train", "y", ("finetune", "y"))
    assert jobs.running is not None
    begun(jobs, job)
    jobs.stop(job.number)
    assert ended(jobs, job).state == STOPPED
    assert "saved" in jobs.find(job.number).answer
    assert jobs.running is None


def test_another_studio_sees_and_stops_a_job_whose_studio_is_gone(jobs: Jobs, waiting, tmp_path: Path):
    job = jobs.start("train", "x", ("finetune", "x"))
    begun(jobs, job)
    later = Jobs(tmp_path / "jobs", tmp_path)

    assert later.running is not None
    found = later.find(job.number)
    later.stop(job.number)

    assert ended(jobs, job).state == STOPPED
    assert found.state == RUNNING  # whatever is made of it is of one moment, its end seen or not


@pytest.mark.parametrize("written", [0, 1])
def test_a_job_that_cannot_be_recorded_does_not_run(jobs: Jobs, waiting, monkeypatch: pytest.MonkeyPatch, written: int):
    """Before its process has started, and after."""
    left = [True] * written

    def write(folder: Path, record) -> None:
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left.pop()

    monkeypatch.setattr("toolkit.studio.jobs._write", write)

    with pytest.raises(OSError, match="No space left"):
        jobs.start("train", "x", ())
    assert list(jobs.folder.iterdir()) == []
    assert jobs.running is None


def test_a_job_that_was_killed_has_failed(jobs: Jobs, waiting):
    job = jobs.start("train", "x", ("finetune", "x"))
    begun(jobs, job)

    os.kill(job.record.pid, signal.SIGKILL)

    assert ended(jobs, job).state == FAILED


def test_a_job_is_never_lost_between_its_end_and_the_note_of_it(jobs: Jobs, waiting):
    job = jobs.start("train", "x", ("finetune", "x"))
    begun(jobs, job)
    with jobs.writing:  # nobody can note the end
        os.kill(job.record.pid, signal.SIGTERM)
        until = time.monotonic() + 60
        while is_locked(job.folder):
            assert time.monotonic() < until
            time.sleep(0.01)
        assert jobs.find(job.number).state == RUNNING

    assert ended(jobs, job).state == STOPPED


def test_closing_waits_until_the_job_has_saved(jobs: Jobs, waiting):
    job = jobs.start("train", "x", ("finetune", "x"))
    begun(jobs, job)

    assert jobs.close(within_s=60)
    assert jobs.find(job.number).state == STOPPED


def test_a_job_whose_end_nobody_saw_is_lost(jobs: Jobs):
    job = ended(jobs, jobs.start("check", "x", ("--version",)))
    record = job.folder / "job.json"
    record.write_text(record.read_text(encoding="utf-8").replace('"code": 0', '"code": null'), encoding="utf-8")

    assert jobs.find(job.number).state == LOST
    with lock_folder(job.folder):
        assert jobs.find(job.number).state == RUNNING


def test_a_process_that_is_not_a_jobs_is_never_signalled(jobs: Jobs):
    job = ended(jobs, jobs.start("check", "x", ("--version",)))

    with pytest.raises(ConfigError, match="not running"):
        jobs.stop(job.number)


@pytest.mark.parametrize("number", [0, 7])
def test_an_unknown_job_is_an_error(jobs: Jobs, number: int):
    with pytest.raises(ConfigError, match=f"no job {number}"):
        jobs.find(number)


def test_old_jobs_make_room(jobs: Jobs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("toolkit.studio.jobs.KEPT_JOBS", 2)
    for _ in range(3):
        ended(jobs, jobs.start("check", "x", ("--version",)))

    assert [job.number for job in jobs.all()] == [3, 2]
