"""Prints a scan: the words that became likelier or less likely, with where it happens."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from toolkit.cli.console import answers
from toolkit.compare.discovery.sentences import context_marks, count, finding_name, open_lines, scan_sentence
from toolkit.compare.scan import SHOWN
from toolkit.compare.texts import Texts
from toolkit.core.text import one_line
from toolkit.runs.scan_record import RecordedScan, ScanContext, ScanFinding

ARROWS = {"likelier": ("↑", "yellow"), "less likely": ("↓", "cyan")}


def print_scan(found: RecordedScan, texts: Texts, *, show_all: bool = False) -> None:
    """Prints on stdout; in colour only on a terminal without NO_COLOR."""
    console = answers()
    console.print(f"[bold]{escape(scan_sentence(found, texts))}[/]")
    for title, listed in (("scan.unexpected", found.findings), ("scan.from_rows", found.from_rows)):
        if listed:
            _print_findings(console, texts(title), listed if show_all else listed[:SHOWN], len(listed), texts)
    if lines := open_lines(found, texts):
        console.print(f"\n[bold underline]{texts('scan.open.title')}[/]\n\n{escape(lines[0])}")
        for line in lines[1:]:
            console.print(Padding(f"[dim]{escape(one_line(line))}[/]", (0, 0, 0, 5)))
    console.print(f"[dim]{escape(texts('scan.note', nats=found.threshold))}[/]")


def _print_findings(console: Console, title: str, shown: Sequence[ScanFinding], total: int, texts: Texts) -> None:
    console.print(f"\n[bold underline]{title}[/]\n")
    for number, one in enumerate(shown, start=1):
        arrow, colour = ARROWS[one.direction]
        figures = texts(
            "scan.figures", before=count(one.before), after=count(one.after), texts=one.texts, nats=count(one.nats)
        )
        console.print(
            f"{number:2} [{colour}]{arrow}[/] [bold]{escape(one_line(finding_name(one, texts)))}[/]  [dim]{figures}[/]"
        )
        for context in one.contexts:
            console.print(Padding(_context(context, texts), (0, 0, 0, 5)))
    if len(shown) < total:
        console.print(f"[dim]{texts('scan.some', shown=len(shown), count=total)}[/]")


def _context(context: ScanContext, texts: Texts) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    left, before, after = context_marks(context, texts)
    table.add_row("·", escape(one_line(context.prompt)))
    table.add_row("", f"[dim]{escape(one_line(left))}[/][bold]{escape(one_line(after))}[/]")
    table.add_row("", f"[dim]{escape(texts('scan.instead', text=one_line(before)))}[/]")
    return table
