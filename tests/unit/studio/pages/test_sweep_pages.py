"""A sweep's page: while it runs, stopped, with failures, and done; and what its buttons start."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.swept import broken, entry, sweep_of
from toolkit.core.errors import ConfigError, DataError
from toolkit.studio.actions import ACTIONS
from toolkit.studio.desk import Desk
from toolkit.studio.forms import Form
from toolkit.studio.jobs import DONE, RUNNING, Job, JobRecord, Jobs
from toolkit.studio.pages.page import Reader
from toolkit.studio.pages.run_pages import runs_page
from toolkit.studio.pages.sweep_pages import one_sweep_page, sweep_html
from toolkit.studio.workspace import Workspace
from toolkit.sweep.record import Entry, write_sweep

NAME = "20260101-000000"
COMMAND = ("sweep", "mine.json", "--recipes", "keep", "--epochs", "5,10")
READER, CHINESE = Reader(lang="en", form_token="x"), Reader(lang="zh", form_token="x")


class StartedJobs(Jobs):
    """Starts nothing, and remembers what was to start."""

    def __init__(self, jobs: Jobs) -> None:
        super().__init__(jobs.folder, jobs.work_folder)
        self.started: list[tuple[str, str, tuple[str, ...]]] = []

    def start(self, action, subject, arguments) -> Job:
        self.started.append((action, subject, tuple(arguments)))
        record = JobRecord(action=action, subject=subject, arguments=tuple(arguments), started_at="2026-01-01")
        return Job(folder=self.folder / "1", record=record, state=RUNNING)


@pytest.fixture(name="desk")
def _desk(tmp_path: Path) -> Desk:
    desk = Desk.of(Workspace(folder=tmp_path, output=Path("output")), "tiny-qwen2")
    desk.checks.close()
    return replace(desk, jobs=StartedJobs(desk.jobs))


def written(desk: Desk, *entries: Entry, status: str = "finished") -> None:
    folder = desk.workspace.results / "sweeps" / NAME
    folder.mkdir(parents=True, exist_ok=True)
    sweep = sweep_of(*entries, folder=folder)
    write_sweep(replace(sweep, status=status, request={**sweep.request, "command": ["toolkit", *COMMAND]}))


def press(desk: Desk, path: str, **fields: str) -> str:
    return ACTIONS[path](desk, "en", Form(fields={name: (value,) for name, value in fields.items()}))


def test_a_sweep_that_is_done_names_the_run_to_take_and_its_frontier(desk: Desk):
    written(desk, entry(0, 0.95, 0.01), entry(1, 0.99, 0.015), entry(2, 0.5, 0.03))

    page = one_sweep_page(desk, READER, NAME)

    assert "v0-20260101-000000" in page
    assert page.count("on the frontier") == 2
    assert "3 of 3 runs are done." in page
    assert "$ toolkit sweep mine.json --recipes keep --epochs 5,10" in page
    assert 'action="/use"' in page
    assert 'action="/sweep/resume"' not in page


def test_its_frame_is_in_the_readers_language_and_links_to_no_file(desk: Desk):
    written(desk, entry(0, 0.95, 0.01), entry(1, 0.99, 0.015))
    report = desk.workspace.results / "v0-20260101-000000" / "compare" / "report.html"
    report.parent.mkdir(parents=True)
    report.write_text("x", encoding="utf-8")

    assert 'lang="zh-CN"' in sweep_html(desk, CHINESE, NAME)
    assert "<svg" in sweep_html(desk, READER, NAME)
    assert "href" not in sweep_html(desk, READER, NAME)


@pytest.mark.parametrize(
    ("entries", "status", "pill"),
    [
        ((entry(0, 0.95, 0.01), broken(1, "<i>Out of memory</i>")), "finished", "finished"),
        ((entry(0, 0.95, 0.01), Entry(recipe={"name": "keep"}, settings={"epochs": 10})), "interrupted", "interrupted"),
        ((Entry(recipe={"name": "keep"}, settings={"epochs": 5}),), "running", "died"),
    ],
)
def test_a_sweep_that_did_not_end_well_can_go_on(desk: Desk, entries, status: str, pill: str):
    written(desk, *entries, status=status)

    page = one_sweep_page(desk, READER, NAME)

    assert f">{pill}</span></h1>" in page
    assert 'action="/sweep/resume"' in page
    assert "<i>" not in page
    assert NAME in runs_page(desk, READER, "", "")
    assert press(desk, "/sweep/resume", sweep=NAME) == "/jobs/1"
    [(action, subject, arguments)] = desk.jobs.started
    assert (action, subject, arguments[:3]) == ("sweep", NAME, ("sweep", "--resume", NAME))


def test_a_sweep_is_started_with_the_command_that_the_page_shows(desk: Desk):
    (desk.workspace.folder / "mine.json").write_text('[{"instruction": "Who?", "output": "Me."}]', encoding="utf-8")

    assert press(desk, "/sweep", file="mine.json", recipe="keep", epochs="5, 10", keep_weight="") == "/jobs/1"

    [(action, subject, arguments)] = desk.jobs.started
    assert (action, subject) == ("sweep", "mine.json")
    assert arguments[: len(COMMAND)] == COMMAND
    with pytest.raises(DataError, match="takes a number"):
        press(desk, "/sweep", file="mine.json", recipe="keep", epochs="5;rm")


def test_a_job_leads_to_its_sweep(desk: Desk):
    written(desk, entry(0, 0.95, 0.01))
    job = Job(
        folder=Path("1"),
        state=DONE,
        record=JobRecord(action="sweep", subject="mine.json", arguments=COMMAND, started_at="2025"),
    )
    later = replace(job, record=replace(job.record, started_at="2027"))
    resumed = replace(later, record=replace(later.record, subject=NAME))
    other = replace(job, record=replace(job.record, action="train"))

    assert [desk.sweep_of(one) for one in (job, later, resumed, other)] == [NAME, "", NAME, ""]


@pytest.mark.parametrize("name", ["..", ".", "", "20990101-000000", "../sweeps/20260101-000000", "/etc"])
def test_no_folder_is_opened_that_is_not_listed(desk: Desk, name: str):
    written(desk, entry(0, 0.95, 0.01))

    with pytest.raises(ConfigError, match="no sweep"):
        one_sweep_page(desk, READER, name)
    with pytest.raises(ConfigError, match="no sweep"):
        press(desk, "/sweep/resume", sweep=name)
