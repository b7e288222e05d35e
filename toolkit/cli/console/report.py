"""Prints a report: the verdict, the two ledgers, and examples of what changed. rich aligns Chinese."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from toolkit.cli.console import answers
from toolkit.compare.discovery.sentences import scan_lines, scan_sentence
from toolkit.compare.metrics import ProbeResult
from toolkit.compare.report.ability import (
    COLUMNS,
    ability_notes,
    ability_rows,
    ability_sentence,
    thinking_sentence,
)
from toolkit.compare.report.advice import advice
from toolkit.compare.report.figures import (
    LEDGERS,
    WRONG,
    Line,
    describe_flips,
    figure,
    first_changed,
    format_value,
    interval,
    ledger_lines,
    outcome,
    prompt_in_context,
    where_it_holds,
    wrong_first,
)
from toolkit.compare.report.learned import learned_from
from toolkit.compare.report.report import Report
from toolkit.compare.report.scores import COLUMNS as SCORE_COLUMNS
from toolkit.compare.report.scores import score_rows, score_sentences
from toolkit.compare.texts import Texts, system_name
from toolkit.compare.verdict import misses
from toolkit.core.text import one_line

COLOUR = {"passed": "green", "same": "green", "failed": "red", "leaked": "red", "residue": "red", "moved": "yellow"}
DECIDED = {"met": "green", "open": "yellow", "missed": "red"}
SYSTEM_COLUMNS = ("reliability", "generality", "residue", "leakage", "locality")
LONGEST_SYSTEM = 24  # cells for a system prompt, so that its figures fit in 80 columns
SHOWN = 3  # wrong questions, and those that merely changed
SHOWN_COLUMNS = ("group", "before", "after", "lost", "won", "p")  # of abilities, in 80 columns


def print_report(report: Report, texts: Texts, *, show_all: bool = False) -> None:
    """Prints on stdout; in colour only on a terminal without NO_COLOR."""
    console = answers()
    _print_verdict(console, report, texts)
    wrong, learned = ([], wrong_first(report.results, report.thresholds)) if show_all else _examples(report)
    _print_probes(console, report, wrong, "changed_first", texts)
    console.print(_ledgers(report, texts))
    if len(report.per_system) > 1:
        console.print(f"[dim]{texts('ledger.worst', count=len(report.per_system))}[/]\n")
        console.print(_systems(report, texts))
        if sentence := where_it_holds(report, texts):
            console.print(_shown(sentence))
    if report.thinking is not None:
        console.print(_shown(thinking_sentence(report.thinking, texts)))
    for sentence in describe_flips(report.flips, texts).values():
        console.print(f"[dim]{sentence}[/]")
    _print_scores(console, report, texts)
    _print_ability(console, report, texts)
    if report.scan is not None:
        console.print(f"\n{escape(one_line(scan_sentence(report.scan, texts)))}")
        for line in scan_lines(report.scan, texts):
            print_item(console, one_line(line))
    console.print()
    _print_probes(console, report, learned, "title" if show_all else "learned_some", texts)
    shown = len(wrong) + len(learned)
    if shown < len(report.results):
        console.print(f"[dim]{texts('probe.some', shown=shown, count=len(report.results))}[/]")


def _print_verdict(console: Console, report: Report, texts: Texts) -> None:
    """The outcome, its reasons, what to do about it, and what was compared."""
    console.print(f"[bold {report.verdict.colour}]{report.verdict.sentence(texts)}[/]")
    for reason in report.verdict.why:
        print_item(console, reason.reason(texts))
    if figures := report.verdict.by_figures(texts):
        console.print(_shown(figures))
    if todo := advice(report, texts):
        console.print(f"[bold]{texts('advice.title')}[/]")
        for one in todo:
            print_item(console, one)
    console.print(
        f"{texts('side.Before')}{texts('colon')}{escape(one_line(str(report.before['name'])))}   "
        f"{texts('side.After')}{texts('colon')}{escape(one_line(str(report.after['name'])))}\n"
    )
    if learned := learned_from(report, texts):
        console.print(f"{escape(one_line(learned))}\n")


def _print_probes(console: Console, report: Report, results: Sequence[ProbeResult], title: str, texts: Texts) -> None:
    if results:
        console.print(f"[bold underline]{texts(f'probe.{title}')}[/]\n")
    for one in results:
        _print_probe(console, one, texts, report.systems[one.system] if len(report.per_system) > 1 else None)
        console.print()


def print_item(console: Console, text: str) -> None:
    """An item of a list, later lines indented to match."""
    item = Table.grid(padding=(0, 1))
    item.add_column(no_wrap=True)
    item.add_column(overflow="fold")
    item.add_row("  -", _shown(text))
    console.print(item)


def _ledgers(report: Report, texts: Texts) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    for name in ("value", "interval", "n"):
        table.add_column(texts(f"ledger.{name}"), justify="right", no_wrap=True)
    table.add_column(texts("ledger.needs"), no_wrap=True)
    for ledger in LEDGERS:
        table.add_row(f"[bold]{texts(f'ledger.{ledger}')}[/]")
        for line in ledger_lines(report, ledger):
            table.add_row(*_row(line, texts))
    return table


def _row(line: Line, texts: Texts) -> tuple[str, ...]:
    decision = line.decision or "met"
    met = f"[{DECIDED[decision]}]{texts(f'ledger.{decision}')}[/]"
    needs = f"{line.needs} {met}" if line.needs and line.metric.n else line.needs
    name = f"  {texts(f'metric.{line.name}.name')}"
    return (name, format_value(line.metric, texts), interval(line.metric), str(line.metric.n), needs)


def _systems(report: Report, texts: Texts) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(texts("system.one"), max_width=LONGEST_SYSTEM, overflow="ellipsis", no_wrap=True)
    for name in SYSTEM_COLUMNS:
        table.add_column(texts(f"metric.{name}.name"), justify="right", no_wrap=True)
    for system, metrics in report.per_system.items():
        values = [(name, metrics[name].value) for name in SYSTEM_COLUMNS]
        cells = [
            "" if value is None
            else f"[red]{figure(value)}[/]" if misses(name, value, report.thresholds)
            else figure(value)
            for name, value in values
        ]  # fmt: skip
        table.add_row(_shown(" ".join(system_name(system, texts).split())), *cells)
    return table


def _print_scores(console: Console, report: Report, texts: Texts) -> None:
    """On rows that were not trained."""
    if (found := report.test) is None:
        return
    console.print()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in SCORE_COLUMNS:
        table.add_column(texts(f"test.column.{name}"), justify="left" if name == SCORE_COLUMNS[0] else "right")
    for row in score_rows(found, texts):
        table.add_row(*map(escape, row))
    console.print(table)
    for sentence in score_sentences(found, texts):
        console.print(f"[dim]{escape(one_line(sentence))}[/]")


def _print_ability(console: Console, report: Report, texts: Texts) -> None:
    """The sentence, and the figures of each group."""
    if (found := report.ability) is None:
        return
    console.print()
    if found.groups:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in SHOWN_COLUMNS:
            table.add_column(texts(f"ability.column.{name}"), justify="left" if name == "group" else "right")
        for row in ability_rows(found, texts):
            cells = [escape(row.cells[COLUMNS.index(name)]) for name in SHOWN_COLUMNS]
            table.add_row(*(f"[red]{cell}[/]" if row.significant else cell for cell in cells))
        console.print(table)
    for sentence in (ability_sentence(found, texts), *ability_notes(found, texts)):
        if sentence:
            console.print(escape(sentence))


def _examples(report: Report) -> tuple[list[ProbeResult], list[ProbeResult]]:
    """The first wrong questions under any system prompt, and those that merely changed; then a few learned answers."""
    first = [one for one in report.results if one.system == report.results[0].system]
    took = [one for one in first if one.passed and one.changed]
    found = first_changed(report)
    wrong = [one for one in found if outcome(one) in WRONG]
    moved = [one for one in found if outcome(one) not in WRONG]
    return [*wrong[:SHOWN], *moved[:SHOWN]], took[:: max(1, len(took) // 4)][:4]


def _print_probe(console: Console, one: ProbeResult, texts: Texts, kind: str | None) -> None:
    """`kind`: of the system prompt; None if there is only one. A probe's own is shown before its question."""
    word = outcome(one)
    where = f" · {texts(f'system.kind.{kind}')}" if kind is not None and one.probe.system is None else ""
    group = texts(f"probe.{one.probe.group}")
    console.print(
        f"[bold]{_shown(prompt_in_context(one.probe, texts))}[/]  "
        f"[dim]{group}{where}[/] [{COLOUR[word]}]{texts(f'mark.{word}')}[/]"
    )
    for side, text in (("before", one.before), ("after", one.after)):
        answer = Table.grid(padding=(0, 1))
        answer.add_column(no_wrap=True, style="dim", min_width=len("before"))
        answer.add_column(overflow="fold")  # Chinese has no spaces to wrap at
        answer.add_row(texts(f"side.{side}"), _shown(text) or f"[dim]{texts('side.no_answer')}[/]")
        console.print(Padding(answer, (0, 0, 0, 2)))


def _shown(text: str) -> str:
    """A model's answer as plain text, without rich markup; the console escapes control characters."""
    return escape(text)
