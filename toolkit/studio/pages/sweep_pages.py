"""The pages of sweeps: which there are, and one with its runs, its frontier and the run to take, also while it runs."""

from contextlib import suppress
from typing import Any

from toolkit.compare.texts import Texts
from toolkit.core.errors import ConfigError
from toolkit.core.links import target_name
from toolkit.core.suggestion import suggestion
from toolkit.runs.layout import LATEST
from toolkit.runs.record import RUNNING
from toolkit.runs.run import DIED
from toolkit.runs.runs import verdict_word
from toolkit.studio.desk import Desk
from toolkit.studio.pages.page import Reader, page
from toolkit.sweep.page import sweep_page
from toolkit.sweep.record import FINISHED, Entry, Sweep

SHOWN = 50  # in the list


def sweep_lines(desk: Desk) -> list[dict[str, Any]]:
    """For the list of runs, the newest first; without those whose record cannot be read."""
    lines = []
    for name in desk.sweeps()[:SHOWN]:
        with suppress(ConfigError):
            sweep = desk.sweep(name)
            lines.append({"name": name, "state": _state(desk, sweep), "done": len(sweep.finished),
                          "runs": len(sweep.entries)})  # fmt: skip
    return lines


def one_sweep_page(desk: Desk, reader: Reader, name: str) -> str:
    """Raises ConfigError."""
    sweep, commands = desk.sweep(name), desk.commands(reader.lang)
    state, texts = _state(desk, sweep), Texts(reader.lang)
    advice = sweep.recommendation_in(texts)
    return page(
        "sweep", desk, reader, title=name, section="runs", sweep=sweep, sweep_name=name, stage=state,
        headline=advice.headline(texts), advice=advice, frontier={one.run for one in sweep.frontier},
        taken=target_name(desk.workspace.results / LATEST) == advice.run,
        resumable=state != RUNNING and (sweep.status != FINISHED or bool(sweep.failed)),
        entries=[(one, _word(one)) for one in sweep.entries],
        version=f"{len(sweep.finished)}-{len(sweep.failed)}-{sweep.status}",
        resume=suggestion(*commands.resume_sweep(name)),
        use="" if advice.run is None else suggestion(*commands.runs("use", advice.run)),
        shown=suggestion(*map(str, sweep.request.get("command", ())[1:] or ("sweep", "…"))),
    )  # fmt: skip


def sweep_html(desk: Desk, reader: Reader, name: str) -> str:
    """As `toolkit sweep` writes it at its end, in the reader's language. Raises ConfigError."""
    return sweep_page(desk.sweep(name), Texts(reader.lang), linking=False)


def _state(desk: Desk, sweep: Sweep) -> str:
    """`running` only while a process works on it: this studio's job, or a command elsewhere."""
    job = desk.jobs.running
    if job is not None and desk.sweep_of(job) == sweep.folder.name:
        return str(RUNNING)
    if sweep.status == FINISHED:
        return FINISHED
    for entry in sweep.entries:
        with suppress(ConfigError):
            if entry.run is not None and desk.run(entry.run).status == RUNNING:
                return str(RUNNING)
    return DIED if sweep.status == RUNNING else str(sweep.status)


def _word(entry: Entry) -> str:
    """Of its verdict; "" without one."""
    return str(verdict_word(entry.verdict)) if entry.verdict is not None else ""
