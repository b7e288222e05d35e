"""A job as an agent follows it: it may outlast the call; who cancels the call that began it stops it."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from tests.fakes.agent import ROWS, answer, call, talk
from toolkit.core.events import Progress, writing_to
from toolkit.studio.agents.server import make_server
from toolkit.studio.agents.work import progress_of
from toolkit.studio.desk import Desk
from toolkit.studio.jobs import EVENTS, RUNNING, STOPPED, Job, JobRecord
from toolkit.studio.workspace import Workspace

# Ends at SIGTERM with the code of an interruption, as the toolkit does.
WAITING = "trap 'exit 130' TERM; echo begun; while true; do sleep 0.05; done"


@pytest.fixture(name="desk")
def _desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("toolkit.studio.jobs.PROGRAM", ("/bin/bash", "-c", WAITING))
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    desk = Desk.of(Workspace(folder=tmp_path, output=Path("output")), "tiny-qwen2")
    yield desk
    if desk.jobs.running is not None:
        desk.jobs.stop(desk.jobs.running.number)


def begun(desk: Desk) -> Job:
    until = time.monotonic() + 60
    while (job := desk.jobs.running) is None or "begun" not in job.answer:
        assert time.monotonic() < until
        time.sleep(0.02)
    return job


def ended(desk: Desk, number: int) -> str:
    until = time.monotonic() + 60
    while (state := desk.jobs.find(number).state) == RUNNING:
        assert time.monotonic() < until
        time.sleep(0.02)
    return state


async def cancelled(server, tool: str, desk: Desk, **arguments: object) -> None:
    """Calls the tool, and cancels that call once the job runs and the call waits for it, of which it informs."""
    waits = asyncio.Event()

    async def hear(*_: object) -> None:
        waits.set()

    async def conversation(client) -> None:
        call_of_tool = client.call_tool(tool, {"wait_s": 600, **arguments}, progress_callback=hear)
        asking = asyncio.create_task(call_of_tool)
        await asyncio.to_thread(begun, desk)
        await asyncio.wait_for(waits.wait(), 60)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    await conversation(server)


def test_a_job_that_outlasts_the_call_goes_on(desk: Desk):
    work = answer(call(desk, "finetune", data="mine.jsonl", wait_s=0))

    assert work["state"] == RUNNING
    assert f"progress(job={work['job']})" in work["next"]
    assert desk.jobs.running is not None
    assert answer(call(desk, "runs"))["job"] == work["job"]


def test_a_second_job_is_refused_with_the_number_of_the_first(desk: Desk):
    first = answer(call(desk, "finetune", data="mine.jsonl", wait_s=0))

    second = call(desk, "make_data", text="You are Nova.", wait_s=0)

    assert second.is_error
    assert f"Job {first['job']} is still running" in second.content[0].text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_cancelling_the_call_that_began_a_job_stops_it(desk: Desk, mode: str):
    server = make_server(lambda: desk, desk.workspace)
    talk(server, lambda client: cancelled(client, "finetune", desk, data="mine.jsonl"), mode=mode)

    assert ended(desk, 1) == STOPPED


def test_cancelling_a_look_at_its_progress_leaves_it_running(desk: Desk):
    number = answer(call(desk, "finetune", data="mine.jsonl", wait_s=0))["job"]
    server = make_server(lambda: desk, desk.workspace)

    talk(server, lambda client: cancelled(client, "progress", desk, job=number))

    assert desk.jobs.find(number).state == RUNNING


def test_progress_stops_a_job_when_it_is_told_to(desk: Desk):
    number = answer(call(desk, "finetune", data="mine.jsonl", wait_s=0))["job"]
    begun(desk)

    work = answer(call(desk, "progress", job=number, stop=True))

    assert work["state"] == STOPPED


def test_a_job_that_is_not_there_says_so(desk: Desk):
    assert "There is no job 7" in call(desk, "progress", job=7).content[0].text


def test_progress_is_told_while_the_call_waits_and_only_grows(desk: Desk):
    told: list[tuple[float, str]] = []

    async def hear(progress: float, _: float | None, message: str | None) -> None:
        told.append((progress, message or ""))

    server = make_server(lambda: desk, desk.workspace)
    arguments = {"data": "mine.jsonl", "wait_s": 3}
    talk(server, lambda client: client.call_tool("finetune", arguments, progress_callback=hear))

    assert len(told) >= 2
    assert [progress for progress, _ in told] == sorted({progress for progress, _ in told})
    assert told[0][1] == "it begins"


def test_progress_is_the_last_task_in_a_line(tmp_path: Path):
    writing_to(tmp_path / EVENTS)(Progress(task="Loading", done=1, total=1))
    writing_to(tmp_path / EVENTS)(Progress(task="Training", done=3, total=4, detail="loss 0.42"))
    record = JobRecord(action="train", subject="x", arguments=(), started_at="")

    assert progress_of(Job(folder=tmp_path, record=record, state=RUNNING)) == "Training 3/4, loss 0.42"
