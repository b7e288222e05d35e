"""`toolkit runs`: stdout is the list of runs, one of them, or two of them beside each other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click
from rich.cells import cell_len
from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import answers, notify, show, show_json, tell
from toolkit.cli.console.chinese import message, user_texts
from toolkit.cli.console.pair import print_pair
from toolkit.cli.console.run import print_run
from toolkit.cli.options import JSON, OUTPUT, PATH, RUN
from toolkit.compare.report.pair.explanation import explanation
from toolkit.compare.report.pair.files import write_pair
from toolkit.compare.report.pair.pair import read_pair
from toolkit.compare.report.pair.record import pair_record
from toolkit.core.text import one_line
from toolkit.runs import latest
from toolkit.runs.layout import PAIR_PAGE, first_command
from toolkit.runs.record import FINISHED, RUNNING
from toolkit.runs.run import find_run
from toolkit.runs.runs import Difference, Summary, details, differences, summaries

DEFAULT_WIDTH = 100  # where there is no terminal to ask
NARROW = 72  # columns, below which a run's full name leaves too little room for its data
MOST_NEXT = 3  # runs whose next command is shown, the newest ones; each run's own page has it
VERSION_DIGITS = 6  # of a data set's sha256, where runs of several versions of it are listed
MINUTE, HOUR, DAY = 60, 3600, 86400


@click.group(invoke_without_command=True)
@OUTPUT
@JSON
@click.pass_context
def command(ctx: click.Context, output: Path, as_json: bool) -> None:
    """List the runs, show, diff or compare them, or go back to one.

    The newest is last; * marks the one that compare, chat and export use by default. Where a data set has changed
    between two runs, its version is named by its sha256, and where several people have trained, who did. A verdict is
    that of a run's adapter as it is now, against its own base; "own limits": it was reached with --threshold.
    """
    if ctx.invoked_subcommand is not None:
        ctx.default_map = {name: {"output": output} for name in command.commands}  # before or after the subcommand
        return
    found = summaries(output)
    if as_json:
        show_json([vars(one) for one in found])
    elif not found:
        tell(f"No runs in {output}. Next: {first_command(output)}")
    else:
        console = answers(DEFAULT_WIDTH)
        console.print(_table(found, console.width))
        for one in found:
            if one.problem is not None:
                notify(one_line(one.problem))
        for one in [one for one in found if one.next][-MOST_NEXT:]:
            notify(_next(one))


@command.command("show")
@RUN
@OUTPUT
@JSON
def show_run(run: str | None, output: Path, as_json: bool) -> None:
    """Show RUN, by default the latest finished one, on a page; with --json everything about it."""
    shown = find_run(run, output)
    if as_json:
        show_json(details(shown))
    else:
        print_run(shown, DEFAULT_WIDTH)


@command.command()
@click.argument("first")
@click.argument("second")
@OUTPUT
@JSON
def diff(first: str, second: str, output: Path, as_json: bool) -> None:
    """Show what differs between two runs: settings, data, versions, metrics.

    The first line says in a sentence what may have made their verdicts differ.
    """
    one, other = find_run(first, output), find_run(second, output)
    found = differences(one, other)
    if as_json:
        show_json([vars(difference) for difference in found])
    elif not found:
        tell("Nothing that matters differs.")
    else:
        show(explanation(one, other, user_texts()))
        answers(DEFAULT_WIDTH).print(_diff_table(one.run_id, other.run_id, found))


@command.command("compare")
@click.argument("left")
@click.argument("right")
@OUTPUT
@click.option("--to", "folder", type=PATH, help="Folder of the page.  [default: pairs/LEFT-and-RIGHT in the output]")
@JSON
@click.option("--all", "show_all", is_flag=True, help="Show every question.")
def compare_runs(left: str, right: str, output: Path, folder: Path | None, as_json: bool, show_all: bool) -> None:
    """Put two compared runs side by side: verdicts, figures and answers.

    Reads the reports that toolkit compare wrote; asks no model. Writes pair.html and pair.json.
    """
    pair, texts = read_pair(left, right, output), user_texts()
    written = write_pair(pair, output, folder, texts)
    if as_json:
        show_json(pair_record(pair))
    else:
        print_pair(pair, texts, show_all=show_all)
    notify(f"page: {written / PAIR_PAGE}")


@command.command()
@click.argument("run")
@OUTPUT
def use(run: str, output: Path) -> None:
    """Make RUN the latest: the one that compare, chat and export use by default."""
    show(latest.use(run, output).run_id)


@command.command()
@OUTPUT
def undo(output: Path) -> None:
    """Make the previous latest run the latest again; repeat to go further back."""
    show(latest.undo(output).run_id)


def _table(found: list[Summary], width: int) -> Table:
    """A run a line at any width: a data set's long name is cut, and on a narrow terminal a run has only its number."""
    names: tuple[str, ...] = ("run", "status", "data", "loss", "verdict", "age")
    versions = _versions(found)
    rows = [_row(one, versions, narrow=width < NARROW) for one in found]
    if len({one.owner for one in found if one.owner}) > 1:  # of one person's runs, it would say nothing
        names += ("who",)
        rows = [(*row, one.owner) for row, one in zip(rows, found, strict=True)]
    headers = tuple(map(message, names))
    columns = list(zip(headers, *rows, strict=True))
    widths = [max(map(cell_len, cells)) for cells in columns]
    data = names.index("data")
    widths[data] = max(min(widths[data], width - sum(widths) + widths[data] - len(headers)), cell_len(headers[data]))
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for name, header, widest in zip(names, headers, widths, strict=True):
        justify: Literal["left", "right"] = "right" if name in {"loss", "age"} else "left"
        table.add_column(header, justify=justify, overflow="ellipsis", no_wrap=True, width=widest)
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _versions(found: list[Summary]) -> Mapping[str, set[str | None]]:
    """The sha256 of each data set that has been trained on, by its name."""
    versions: dict[str, set[str | None]] = {}
    for one in found:
        if one.rows is not None:
            versions.setdefault(one.data, set()).add(one.data_sha256)
    return versions


def _row(one: Summary, versions: Mapping[str, set[str | None]], *, narrow: bool) -> tuple[str, ...]:
    several = len(versions.get(one.data, ())) > 1
    version = f" {(one.data_sha256 or '')[:VERSION_DIGITS]}" if several else ""
    return (
        f"{one.run_id.partition('-')[0] if narrow else one.run_id}{' *' if one.latest else ''}",
        message(one.status),
        "" if one.rows is None else one_line(f"{one.data} ({one.rows}){version}"),
        "" if one.loss is None else f"{one.loss:.3f}",
        _verdict(one),
        "" if one.age_s is None else message(age(one.age_s)),
    )


def _verdict(one: Summary) -> str:
    """Whose limits it was reached with, if they are not the product's; `stale` for a report of an earlier adapter."""
    t = user_texts()
    if one.stale:
        return t("rank.word.stale")
    if not one.verdict:
        return ""
    word = t(f"rank.word.{one.verdict.replace(' ', '_')}")
    return t("rank.own_limits", word=word) if one.own_limits else word


def _next(one: Summary) -> str:
    if one.status in {FINISHED, RUNNING}:
        return f'{one.run_id} has not been compared as it is now. Compare it: "{one.next}".'
    return f'{one.run_id}: {message(one.status)}. Go on with "{one.next}".'


def _diff_table(first: str, second: str, found: list[Difference]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for header in ("", first, second):
        table.add_column(header, overflow="fold")
    for difference in found:
        table.add_row(
            escape(one_line(difference.name)), escape(_text(difference.first)), escape(_text(difference.second))
        )
    return table


def age(seconds: float) -> str:
    """The largest unit that fits: 40 s, 12 min, 3 h, 5 d."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds // unit:.0f} {name}"
    return f"{max(seconds, 0):.0f} s"


def _text(value: object) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, list):
        return one_line("; ".join(map(str, value)))
    return f"{value:.6g}" if isinstance(value, float) else one_line(str(value))
