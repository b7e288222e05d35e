"""The pages of jobs: all of them, and one with its progress, its losses so far and what came out."""

from contextlib import suppress
from typing import Any

from toolkit.compare.report.charts import HEIGHT, LEFT, WIDTH, curve
from toolkit.compare.report.figures import figure
from toolkit.core.errors import ConfigError
from toolkit.runs.record import FINISHED
from toolkit.runs.run import Run
from toolkit.runs.runs import is_resumable
from toolkit.runs.training_log import read_training_log
from toolkit.studio.desk import Desk
from toolkit.studio.jobs import DONE, RUNNING, Job
from toolkit.studio.pages.live_answers import answers_so_far
from toolkit.studio.pages.page import Reader, page, shown_tasks

SHOWN = 50
LEAST_STEPS = 2  # of a curve
WRITING = frozenset({"export", "attest", "push"})  # actions whose answer says where something is now
TRAINING = frozenset({"train", "teach", "resume", "sweep"})


def jobs_page(desk: Desk, reader: Reader) -> str:
    title = reader.texts("nav.jobs")
    return page("jobs", desk, reader, title=title, section="jobs", jobs=desk.jobs.all()[:SHOWN])


def job_page(desk: Desk, reader: Reader, number: int) -> str:
    """Raises ConfigError."""
    job, texts = desk.jobs.find(number), reader.texts
    run = job.run(desk.workspace.results)
    ended = job.state != RUNNING
    result, kind = _result(desk, job, run) if ended or job.record.action == "sweep" else ("", "")
    return page(
        "job", desk, reader, title=texts(f"action.{job.record.action}"), section="jobs", job=job,
        tasks=shown_tasks(job.tasks, texts), answers=None if ended else answers_so_far(job),
        result=result, result_kind=kind, onward=job.state == DONE and job.record.action not in WRITING,
        written=job.answer.strip() if job.state == DONE and job.record.action in WRITING else "",
        resumable=run.run_id if ended and run is not None and is_resumable(run) else "", **_losses(job, run),
    )  # fmt: skip


def _result(desk: Desk, job: Job, run: Run | None) -> tuple[str, str]:
    """Where the job leads, and what that is: a run, a sweep or a data set."""
    if name := desk.sweep_of(job):
        return f"/sweeps/{name}", "sweep"
    if (run is None or run.record.status != FINISHED) and (file := desk.written_by(job)) is not None:
        return f"/data?file={file.name}", "rows"
    if run is not None and (job.state == DONE or run.record.status == FINISHED):
        return f"/runs/{run.run_id}", "run"
    return "", ""


def _losses(job: Job, run: Run | None) -> dict[str, Any]:
    if run is None or job.record.action not in TRAINING:
        return {"curve": None}
    with suppress(ConfigError):
        steps = read_training_log(run).steps
        if len(steps) >= LEAST_STEPS:
            losses = {"loss": [(float(one.step), one.loss) for one in steps]}
            return {
                "curve": curve(losses), "chart": {"width": WIDTH, "height": HEIGHT, "left": LEFT},
                "first": figure(steps[0].loss), "last": figure(steps[-1].loss),
            }  # fmt: skip
    return {"curve": None}
