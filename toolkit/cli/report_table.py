"""A report in the terminal: the verdict, the two ledgers, and what changed. Chinese is aligned by rich."""

import sys
import unicodedata

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from toolkit.metrics import Judged, Metric
from toolkit.probes import OUT_OF_SCOPE
from toolkit.render_markdown import LEDGERS, figure, interval, mark, needs
from toolkit.report import Report

COLOUR = {"passed": "green", "same": "green", "failed": "red", "leaked": "red", "residue": "red", "moved": "yellow"}
SHOWN = 5
DEFAULT_WIDTH = 80


def print_report(report: Report, *, show_all: bool = False) -> None:
    """On stdout; colours only on a terminal, and none with NO_COLOR."""
    console = Console(width=None if sys.stdout.isatty() else DEFAULT_WIDTH, highlight=False)
    console.print(f"[bold {'green' if report.verdict.passed else 'red'}]{report.verdict.sentence}[/]")
    for reason in report.verdict.reasons:
        console.print(f"  - {escape(reason)}")
    console.print(f"Before: {escape(str(report.before['name']))}   After: {escape(str(report.after['name']))}\n")
    console.print(_ledgers(report))
    shown = list(report.judged) if show_all else _telling(report)
    for one in shown:
        _print_probe(console, one, several_systems=len(report.per_system) > 1)
    if len(shown) < len(report.judged):
        console.print(f"\n[dim]{len(shown)} of {len(report.judged)} probes; all with --all and in report.md.[/]")


def _ledgers(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for header, justify in (
        ("", "left"),
        ("value", "right"),
        ("95 % interval", "right"),
        ("n", "right"),
        ("needs", "left"),
    ):
        table.add_column(header, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for title, names in LEDGERS.items():
        table.add_row(f"[bold]{title}[/]")
        for name in names:
            table.add_row(*_row(name, report.metrics[name], report))
            if name == "locality":
                floor = report.metrics["noise_floor"]
                table.add_row("  noise floor", figure(floor.value), interval(floor), str(floor.n), "")
    return table


def _row(name: str, metric: Metric, report: Report) -> tuple[str, ...]:
    wanted = needs(name, report.thresholds)
    short = any(reason.startswith(f"{name} ") for reason in report.verdict.reasons)
    told = (
        f"{wanted} [{'red' if short else 'green'}]{'missed' if short else 'ok'}[/]" if wanted and metric.n else wanted
    )
    return (f"  {name}", figure(metric.value), interval(metric), str(metric.n), told)


def _telling(report: Report) -> list[Judged]:
    """Some that took, then whatever went wrong, then some that only moved."""
    took = [one for one in report.judged if one.passed and one.changed]
    wrong = [one for one in report.judged if mark(one) in {"failed", "leaked", "residue"}]
    moved = [one for one in report.judged if one.probe.group == OUT_OF_SCOPE and one.changed and not one.leaked]
    return [*took[:: max(1, len(took) // 4)][:4], *wrong[:SHOWN], *moved[:2]]


def _print_probe(console: Console, one: Judged, *, several_systems: bool) -> None:
    word = mark(one)
    where = f" · system: {_shown(one.system) or 'none'}" if several_systems else ""
    console.print(f"\n[bold]{_shown(one.probe.prompt)}[/]  [dim]{one.probe.group}{where}[/] [{COLOUR[word]}]{word}[/]")
    for side, text in (("before", one.before), ("after ", one.after)):
        answer = Table.grid(padding=(0, 1))
        answer.add_column(no_wrap=True, style="dim")
        answer.add_column(overflow="fold")  # Chinese has no spaces to wrap at
        answer.add_row(side, _shown(text) or "[dim](no answer)[/]")
        console.print(Padding(answer, (0, 0, 0, 2)))


def _shown(text: str) -> str:
    """A model's words are text: neither rich's markup nor a terminal's escape sequences."""
    control = {sign for sign in text if unicodedata.category(sign) == "Cc"} - {"\n", "\t"}
    return escape(text.translate({ord(sign): "\N{REPLACEMENT CHARACTER}" for sign in control}))
