"""The pages of jobs: all of them, and one with its progress, its losses so far and what came out."""

from contextlib import suppress
from typing import Any

from toolkit.compare.report.charts import HEIGHT, LEFT, WIDTH, curve
from toolkit.compare.report.figures import figure
from toolkit.compare.report.spans import differences, marked
from toolkit.core.errors import ConfigError
from toolkit.runs.record import FINISHED
from toolkit.runs.run import Run
from toolkit.runs.training_log import read_training_log
from toolkit.studio.desk import Desk
from toolkit.studio.jobs import DONE, RUNNING, Job
from toolkit.studio.pages.page import Reader, page, shown_tasks
from toolkit.studio.pages.run_pages import is_resumable

SHOWN, SHOWN_ANSWERS = 50, 20
SIDES = ("Before", "After")  # tasks of a comparison
LEAST_STEPS = 2  # of a curve


def jobs_page(desk: Desk, reader: Reader) -> str:
    title = reader.texts("nav.jobs")
    return page("jobs", desk, reader, title=title, section="jobs", jobs=desk.jobs.all()[:SHOWN])


def job_page(desk: Desk, reader: Reader, number: int) -> str:
    """Raises ConfigError."""
    job, texts = desk.jobs.find(number), reader.texts
    run = job.run(desk.workspace.results)
    ended = job.state != RUNNING
    result, kind = _result(desk, job, run) if ended else ("", "")
    return page(
        "job", desk, reader, title=texts(f"action.{job.record.action}"), section="jobs", job=job,
        tasks=shown_tasks(job.tasks, texts), answers=None if ended else answers_so_far(job),
        result=result, result_kind=kind,
        resumable=run.run_id if ended and run is not None and is_resumable(run) else "", **_losses(job, run),
    )  # fmt: skip


def answers_so_far(job: Job) -> dict[str, Any] | None:
    """Of a comparison while it asks: the questions that both sides have answered, those that differ first."""
    found: dict[str, dict[int, dict[str, Any]]] = {side: {} for side in SIDES}
    for item in job.items:
        if item.get("task") in found:
            found[item["task"]][item["number"]] = item
    before, after = (found[side] for side in SIDES)
    both = [(before[number], one) for number, one in after.items() if number in before]
    if not before:
        return None
    differing = [(old, new) for old, new in both if old["answer"] != new["answer"]]
    shown = []
    for old, new in [*reversed(differing), *((old, new) for old, new in both if old["answer"] == new["answer"])]:
        parts = differences(old["answer"], new["answer"])
        shown.append({"prompt": old["prompt"], "old": marked(parts[0]), "new": marked(parts[1])})
    return {"before": len(before), "both": len(both), "changed": len(differing), "shown": shown[:SHOWN_ANSWERS]}


def _result(desk: Desk, job: Job, run: Run | None) -> tuple[str, str]:
    """Where the job leads, and what that is: a run or a data set."""
    if (run is None or run.record.status != FINISHED) and (file := desk.written_by(job)) is not None:
        return f"/data?file={file.name}", "rows"
    if run is not None and (job.state == DONE or run.record.status == FINISHED):
        return f"/runs/{run.run_id}", "run"
    return "", ""


def _losses(job: Job, run: Run | None) -> dict[str, Any]:
    if run is None or job.record.action not in {"train", "teach", "resume"}:
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
