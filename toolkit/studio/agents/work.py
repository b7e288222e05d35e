"""A job as an agent follows it: with progress while it waits, and what came out at the end."""

import time
from contextlib import suppress
from typing import Any

import anyio
from mcp.server.mcpserver import Context

from toolkit.compare.report.report import Report, read_report
from toolkit.core.errors import ConfigError
from toolkit.core.events import Task
from toolkit.core.text import one_line
from toolkit.runs.run import Run
from toolkit.runs.runs import is_resumable
from toolkit.studio.agents.answers import Verdict, Work, verdict_of
from toolkit.studio.desk import Desk
from toolkit.studio.jobs import DONE, RUNNING, Job

LOOK_EVERY_S = 0.3
REPORTED_EVERY_S = 1.0
MOST_ANSWERS = 5
JUDGED = frozenset({"train", "resume", "compare", "teach"})  # actions that end with a verdict


async def followed(
    desk: Desk, number: int, wait_s: float, context: Context[Any, Any], *, stop: bool, most: int = MOST_ANSWERS
) -> Work:
    """Once the job has ended, or after `wait_s`. `stop`: who cancels the call stops the job. Raises ConfigError."""
    began, reported_s = time.monotonic(), 0.0
    try:
        while True:
            job = await anyio.to_thread.run_sync(desk.jobs.find, number)
            waited_s = time.monotonic() - began
            if job.state != RUNNING or waited_s >= wait_s:
                return await anyio.to_thread.run_sync(shown, desk, job, most)
            if waited_s - reported_s >= REPORTED_EVERY_S:  # seconds only grow, as the protocol asks
                reported_s = waited_s
                await context.report_progress(round(waited_s, 1), message=progress_of(job))
            await anyio.sleep(LOOK_EVERY_S)
    except anyio.get_cancelled_exc_class():
        if stop:
            with suppress(ConfigError):  # it has ended in this moment
                desk.jobs.stop(number)
        raise


def shown(desk: Desk, job: Job, most: int = MOST_ANSWERS) -> Work:
    """What is known of it. Reads files."""
    run = job.run(desk.workspace.results)
    data = desk.written_by(job) if job.state == DONE else None
    verdict = _verdict(run, most) if job.state == DONE and job.record.action in JUDGED else None
    return Work(
        job=job.number, state=job.state, command=job.command,
        progress=progress_of(job) if job.state == RUNNING else "",
        error=one_line(job.error) if job.state not in {RUNNING, DONE} else "",
        data="" if data is None else data.name, run="" if run is None else run.run_id, verdict=verdict,
        folder=job.answer.strip() if job.state == DONE and job.record.action == "export" else "",
        next=_next(job, run, "" if data is None else data.name),
    )  # fmt: skip


def compared(run_id: str, report: Report, most: int) -> Work:
    """A verdict that was there already: no job."""
    return Work(job=0, state=DONE, command="", run=run_id, verdict=verdict_of(run_id, report, most))


def progress_of(job: Job) -> str:
    """Its last task, in a line: `training 12/40, loss 0.42, 8 s left`."""
    return _line(job.tasks[-1]) if job.tasks else "it begins"


def _line(task: Task) -> str:
    event = task.event
    amount = "" if event.unit else f" {event.done}" + ("" if event.total is None else f"/{event.total}")
    left = "" if task.seconds_left is None else f"{task.seconds_left:.0f} s left"
    return ", ".join(part for part in (f"{event.task}{amount}", event.detail, left) if part)


def _verdict(run: Run | None, most: int) -> Verdict | None:
    if run is None:
        return None
    with suppress(ConfigError):
        return verdict_of(run.run_id, read_report(run), most)
    return None


def _next(job: Job, run: Run | None, data: str) -> str:
    if job.state == RUNNING:
        return f"progress(job={job.number}) waits for its end; with stop=true it stops it."
    if data:
        return f'Read the rows: check(data="{data}"); then finetune(data="{data}").'
    if run is not None and is_resumable(run):
        return f'It goes on from its last checkpoint: finetune(resume="{run.run_id}").'
    return ""
