"""One page as HTML: the frame around it, in the reader's language."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.compare.report.html import fill_in
from toolkit.compare.texts import LANGUAGES, Texts
from toolkit.core.events import Task
from toolkit.studio.desk import Desk
from toolkit.studio.jobs import Job

TEMPLATES = Path(__file__).with_name("templates")
CATALOGUE = Path(__file__).with_name("texts.yaml")
BYTES = "bytes"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Who reads a page: the language, the word that the forms need, and where they are."""

    lang: str
    form_token: str
    here: str = "/"
    phrase: Callable[[str, str], str] = lambda text, _: text

    def findings(self, found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Those of `check`, in the reader's language."""
        texts = ("message", "remedy")
        return [
            {**one, **{name: self.phrase(one[name], self.lang) for name in texts if one.get(name)}} for one in found
        ]

    @property
    def texts(self) -> Texts:
        return Texts(self.lang, CATALOGUE)


def language_of(cookie: str | None, accepted: str) -> str:
    """The reader's own choice, else what the browser accepts first."""
    if cookie in LANGUAGES:
        return str(cookie)
    return "zh" if accepted.strip().lower().startswith("zh") else "en"


def page(
    name: str, desk: Desk, reader: Reader, *, title: str, section: str, following: bool = False, **values: Any
) -> str:
    """`name`: of the template; `section`: data, jobs or runs; `following`: it shows the job that is running."""
    running = desk.jobs.running
    return fill_in(
        TEMPLATES / f"{name}.html.jinja", t=reader.texts, form_token=reader.form_token, here=reader.here, title=title,
        section=section, following=following or section == "jobs",
        running=None if running is None else shown_job(running, reader.texts), **values,
    )  # fmt: skip


def message(reader: Reader, text: str, *, enter: bool = False, onward: str = "", back: str = "") -> str:
    """A page with one sentence. `enter`: with a field for the token; `onward`: it goes there by itself."""
    return fill_in(
        TEMPLATES / "message.html.jinja", t=reader.texts, text=text, enter=enter, onward=onward, back=back
    )  # fmt: skip


def shown_job(job: Job, texts: Texts) -> Mapping[str, Any]:
    return {"number": job.number, "action": job.record.action, "tasks": shown_tasks(job.tasks, texts)}


def shown_tasks(tasks: Sequence[Task], texts: Texts) -> list[Mapping[str, Any]]:
    """Each with its share (None while its length is not known), amounts and the time that is left."""
    return [
        {
            "name": _task_name(task.event.task, texts),
            "amount": _amount(task.event.done, task.event.total, task.event.unit),
            "share": None if not task.event.total else round(min(task.event.done / task.event.total, 1), 4),
            "left": None if not task.seconds_left else _time(task.seconds_left),
            "detail": task.event.detail,
        }
        for task in tasks
    ]


def _task_name(name: str, texts: Texts) -> str:
    return name if texts.language == "en" or f"task.{name}" not in texts else texts(f"task.{name}")


def _time(seconds: float) -> str:
    """With units that both languages have."""
    for name, unit in (("h", 3600), ("min", 60)):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(1, round(seconds))} s"


def _amount(done: int, total: int | None, unit: str) -> str:
    if unit == BYTES:
        return f"{done / 1e6:.0f} MB" + ("" if total is None else f" / {total / 1e6:.0f} MB")
    return str(done) if total is None else f"{done} / {total}"
