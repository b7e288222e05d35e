"""Everything that the pages and actions of one studio work on."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from toolkit.core.documents import read_json
from toolkit.core.errors import ConfigError, DataError, ToolkitError
from toolkit.core.files import write_json
from toolkit.core.text import is_utf8
from toolkit.runs.layout import NAME
from toolkit.runs.run import Run, read_run
from toolkit.studio.asking import Asker
from toolkit.studio.checks import Checks
from toolkit.studio.commands import Commands
from toolkit.studio.jobs import Job, Jobs
from toolkit.studio.rows import RowFile
from toolkit.studio.workspace import DataFile, Workspace
from toolkit.sweep.record import RECORD, SWEEPS, Sweep, read_sweep
from toolkit.train.check import CheckConfig, check
from toolkit.train.recipe import default_recipe, load_recipe

NOTES = "notes.json"
LONGEST_NOTE = 2000  # characters


@dataclass(frozen=True, kw_only=True)
class Wording:
    """An error, and what was found in rows, as pages show it: each takes en or zh."""

    failure: Callable[[ToolkitError, str], str]
    phrase: Callable[[str, str], str]


@dataclass(frozen=True, kw_only=True)
class Desk:
    """`model`: the base model that commands are given; None: their own default."""

    workspace: Workspace
    model: str | None
    jobs: Jobs
    checks: Checks
    asker: Asker

    @classmethod
    def of(cls, workspace: Workspace, model: str | None, changed: Callable[[], None] = lambda: None) -> "Desk":
        """Raises ConfigError where its state cannot be written."""
        options = Commands(output=workspace.output).serve_options()
        return cls(
            workspace=workspace, model=model, jobs=Jobs(workspace.state("jobs"), workspace.folder, changed),
            checks=Checks(workspace.state("checks"), workspace.folder, changed),
            asker=Asker(workspace.state("asked"), workspace.folder, options, changed),
        )  # fmt: skip

    def commands(self, lang: str = "en") -> Commands:
        return Commands(output=self.workspace.output, model=self.model, lang=lang)

    def start(self, action: str, subject: str, arguments: tuple[str, ...]) -> Job:
        """Starts a job, for which the model that answers questions makes room. Raises ConfigError."""
        if self.jobs.running is None:
            self.asker.close()
        return self.jobs.start(action, subject, arguments)

    def say(self, text: str, lang: str = "en", *, rows_only: bool = True) -> Job:
        """Starts to write a data set from a text. Raises DataError, and ConfigError."""
        text = text.strip()
        if not text:
            raise DataError("There is no text to teach.", next="Write a sentence.")
        if "\0" in text:  # which no command can be given
            raise DataError("The text has a NUL character.", next="Delete it.")
        return self.start("say" if rows_only else "teach", text, self.commands(lang).say(text, rows_only=rows_only))

    def ask(self, run: Run, question: str) -> None:
        """Puts it to both sides in the background. Raises ConfigError while a job runs, and DataError."""
        if (job := self.jobs.running) is not None:
            raise ConfigError(f"Job {job.number} needs the device.", next="Ask when it has ended.")
        self.asker.ask(run.run_id, question)

    def written_by(self, job: Job) -> DataFile | None:
        """The data set that a job wrote from a text; None if it wrote none."""
        if job.record.action not in {"say", "teach"} or not job.answer:
            return None
        path = self.workspace.folder / job.answer.splitlines()[0]
        return next((one for one in self.workspace.data_files() if one.path == path), None)

    def sweeps(self) -> list[str]:
        """Names, the newest first."""
        found = (self.workspace.results / SWEEPS).glob(f"*/{RECORD}")
        return sorted((path.parent.name for path in found if is_utf8(path.parent.name)), reverse=True)

    def sweep(self, name: str) -> Sweep:
        """Raises ConfigError; only a listed name leads to a folder."""
        if name not in self.sweeps():
            raise ConfigError(f"There is no sweep {name!r}.", next="Choose one from the list.")
        return read_sweep(name, self.workspace.results)

    def sweep_of(self, job: Job) -> str:
        """The name of the sweep that a job works on; "" before it has one."""
        if job.record.action != "sweep":
            return ""
        if job.record.subject in self.sweeps():  # it goes on with it
            return job.record.subject
        command = ["toolkit", *job.record.arguments]
        for name in self.sweeps():
            with suppress(ConfigError):
                one = self.sweep(name)
                if one.request.get("command") == command and one.started_at >= job.record.started_at:
                    return name
        return ""

    def run(self, run_id: str) -> Run:
        """Raises ConfigError; nothing but a run's own name leads to a folder."""
        if not NAME.fullmatch(run_id):
            raise ConfigError(f"{run_id!r} is not the name of a run.", next="Choose one from the list.")
        return read_run(self.workspace.results / run_id)

    def rows(self, file: DataFile) -> RowFile:
        history = self.workspace.state("undo") / str(file.path.resolve()).replace("/", "+")[-200:]
        return RowFile(path=file.path, history=history)

    def own_rows(self, name: str) -> RowFile:
        """Of a data set that may be changed. Raises DataError."""
        file = self.workspace.data_file(name)
        if file.shipped:
            raise DataError(f"{file.name} is shipped with the toolkit.", next="Copy it, and edit the copy.")
        return self.rows(file)

    def sound_rows(self, file: DataFile) -> bytes:
        """The rows without errors, as `toolkit check --write` writes them. Raises DataError without any."""
        with TemporaryDirectory() as folder:
            target = Path(folder, "rows.jsonl")
            config = CheckConfig(data=str(file.path), recipe=load_recipe(default_recipe(self.model)), write=target)
            check(config)
            rows = target.read_bytes()
        if not rows:
            raise DataError(f"{file.name} has no sound row.", next="Read what was found in it.")
        return rows

    @property
    def notes(self) -> dict[str, str]:
        """By run."""
        with suppress(OSError, ValueError, AttributeError):
            found = read_json(self._notes_file).items()
            return {str(run_id): str(note) for run_id, note in found}
        return {}

    def note(self, run_id: str, text: str) -> None:
        """Raises ConfigError."""
        others = {name: note for name, note in self.notes.items() if name != run_id}
        own = {run_id: text.strip()[:LONGEST_NOTE]} if text.strip() else {}
        write_json(self._notes_file, {**others, **own})

    @property
    def _notes_file(self) -> Path:
        return self.workspace.state() / NOTES

    def version(self) -> str:
        """Of everything that a page shows; a running job's progress is a part of it."""
        self.asker.close_if_idle()
        job = self.jobs.running
        return f"{self.workspace.version()} | {'' if job is None else _progress(job)}"


def _progress(job: Job) -> str:
    seen = [(task.event.task, task.event.done) for task in job.tasks], job.log, job.record
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]
