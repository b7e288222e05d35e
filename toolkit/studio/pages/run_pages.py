"""The pages of runs: the table, one run with its report and its actions, and two of them."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from toolkit.compare.report.pair.files import write_pair
from toolkit.compare.report.pair.pair import read_pair
from toolkit.compare.report.spans import differences, marked
from toolkit.compare.texts import Texts
from toolkit.core.documents import read_text
from toolkit.core.errors import ConfigError, DataError
from toolkit.core.links import target_name
from toolkit.core.suggestion import suggestion
from toolkit.data.probes import probes_beside
from toolkit.runs.latest import history
from toolkit.runs.layout import COMPARISON, LATEST, PAIR_PAGE, REPORT_PAGE
from toolkit.runs.record import FINISHED
from toolkit.runs.run import Run
from toolkit.runs.runs import is_resumable, summaries, summary
from toolkit.studio.asking import Exchange
from toolkit.studio.commands import FORMATS, Commands
from toolkit.studio.desk import Desk
from toolkit.studio.pages.live_answers import answers_so_far
from toolkit.studio.pages.page import Reader, page
from toolkit.studio.pages.sweep_pages import sweep_lines
from toolkit.studio.sharing import sharing

VERDICTS = ("passed", "inconclusive", "not taken", "moved", "neither")
SIDES = 2


def runs_page(desk: Desk, reader: Reader, query: str, verdict: str) -> str:
    """`query`: in a run's name, data, recipe or note; `verdict`: one of VERDICTS, or "" for all."""
    notes = desk.notes
    found = [
        one
        for one in reversed(summaries(desk.workspace.results))
        if (not verdict or one.verdict == verdict)
        and query.casefold() in f"{one.run_id} {one.data} {one.recipe} {notes.get(one.run_id, '')}".casefold()
    ]
    return page(
        "runs", desk, reader, title=reader.texts("nav.runs"), section="runs", runs=found, notes=notes, query=query,
        chosen=verdict, words=VERDICTS, undoable=len(_moves(desk)) > 1, sweeps=sweep_lines(desk),
        listing=suggestion(*desk.commands().runs()),
    )  # fmt: skip


def run_page(desk: Desk, reader: Reader, run_id: str) -> str:
    """Raises ConfigError."""
    run, commands = desk.run(run_id), desk.commands(reader.lang)
    latest = desk.workspace.results / LATEST
    shown = summary(run, latest=target_name(latest) == run_id)
    exchanges = [_shown(one) for one in desk.asker.exchanges(run_id)]
    return page(
        "run", desk, reader, title=run_id, section="runs", run=run, summary=shown,
        error=run.record.error, resumable=is_resumable(run), comparable=run.status == FINISHED,
        report=_version_of(report_file(run)) if shown.verdict else "", exchanges=exchanges,
        note=desk.notes.get(run_id, ""),
        can_probe=own_probes(desk, run) is not None, probe_file=own_probes(desk, run),
        exports=[(name, suggestion(*commands.export(run_id, name))) for name in FORMATS],
        sharing=_shared(desk, run, commands), **_followed(desk, run),
        commands={
            "resume": suggestion(*commands.resume(run_id)), "compare": suggestion(*commands.compare(run_id)),
            "use": suggestion(*commands.runs("use", run_id)), "show": suggestion(*commands.runs("show", run_id)),
            "serve": suggestion("serve", run_id, *commands.into),
        },
    )  # fmt: skip


def report_file(run: Run) -> Path:
    return run.folder / COMPARISON / REPORT_PAGE


def report_html(desk: Desk, run_id: str) -> str:
    """The run's own report, as `toolkit compare` wrote it. Raises ConfigError."""
    return _read(report_file(desk.run(run_id)))


def pair_page(desk: Desk, reader: Reader, run_ids: tuple[str, ...]) -> str:
    """Raises DataError unless two are named, and ConfigError for one without a report."""
    if len(run_ids) != SIDES:
        raise DataError(reader.texts("runs.choose_two"), next="")
    commands = desk.commands(reader.lang)
    right, left = (desk.run(run_id).run_id for run_id in run_ids)  # the list has the newest first
    return page(
        "framed", desk, reader, title=f"{left} · {right}", section="runs", source=f"/pair/{left}/{right}",
        shown=suggestion(*commands.runs("compare", left, right), *commands.in_language),
    )  # fmt: skip


def pair_html(desk: Desk, reader: Reader, left: str, right: str) -> str:
    """Writes the pair's page, as `toolkit runs compare` does, and returns it. Raises ConfigError."""
    results = desk.workspace.results
    pair = read_pair(desk.run(left).run_id, desk.run(right).run_id, results)
    return _read(write_pair(pair, results, None, Texts(reader.lang)) / PAIR_PAGE)


def own_probes(desk: Desk, run: Run) -> Path | None:
    """The probe file beside the run's data set, which need not exist; None if that data set is not the user's."""
    data = desk.workspace.folder / run.record.data.path
    mine = [file for file in desk.workspace.data_files() if not file.shipped and file.path.resolve() == data.resolve()]
    return probes_beside(mine[0].path) if mine else None


def _shown(one: Exchange) -> dict[str, Any]:
    old, new = differences(one.before, one.after)
    return {"key": one.key, "question": one.question, "state": one.state, "error": one.error,
            "old": marked(old), "new": marked(new)}  # fmt: skip


def _followed(desk: Desk, run: Run) -> dict[str, Any]:
    """Whether the job that is running is about this run, and the answers of its comparison so far."""
    job = desk.jobs.running
    about = None if job is None else job.run(desk.workspace.results)
    following = job is not None and about is not None and about.run_id == run.run_id
    return {"following": following, "answers": answers_so_far(job) if job is not None and following else None}


def _shared(desk: Desk, run: Run, commands: Commands) -> dict[str, Any] | None:
    """What the run can be given to others with; None before it is finished."""
    if run.status != FINISHED:
        return None
    found = sharing(desk.workspace, commands, run)
    return {
        "compared": found.compared, "passed": found.passed,
        "keys": [(name, suggestion(*commands.attest(run.run_id, name))) for name in found.keys],
        "first_key": suggestion(*commands.attest(run.run_id, ""), "--new-key"),
        "hubs": [{"name": one.name, "login": one.login, "logged_in": one.logged_in,
                  "command": suggestion(*one.command)} for one in found.hubs],
    }  # fmt: skip


def _version_of(report: Path) -> str:
    """Changes with the report, so that a browser reads it again; "" without one."""
    try:
        return str(report.stat().st_mtime_ns)
    except OSError:
        return ""


def _moves(desk: Desk) -> list[Any]:
    with suppress(ConfigError):
        return list(history(desk.workspace.results))
    return []


def _read(path: Path) -> str:
    try:
        return read_text(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.", next="Compare the run again.") from None
