"""Prints what a round of the lab changed, in 80 columns; the report file has everything."""

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from toolkit.cli.console import answers
from toolkit.cli.console.report import COLOUR, DECIDED
from toolkit.compare.report.figures import format_value, outcome, prompt_in_context
from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts
from toolkit.core.text import one_line
from toolkit.sweep.changes import ChangedAnswer, Changes

SHOWN = 8  # questions
SIGNS = {"new": ("+", "red"), "resolved": ("-", "green"), "still": ("=", "yellow")}


def print_changes(found: Changes, texts: Texts) -> None:
    """Prints on stdout; in colour only on a terminal without NO_COLOR."""
    console, verdict = answers(), found.after.verdict
    console.print(f"[bold {verdict.colour}]{verdict.sentence(texts)}[/]")
    console.print(
        f"{texts('round.title')} ({escape(one_line(str(found.before.after['name'])))}){texts('colon').rstrip()}"
    )
    old, new = found.before.verdict.head(texts), verdict.head(texts)
    console.print(texts("round.same_verdict") if old == new else texts("round.verdict", before=old, after=new))
    for kind, (sign, colour) in SIGNS.items():
        for reason in getattr(found, kind):
            _print_item(console, sign, colour, f"{texts(f'round.{kind}')}{texts('colon')}{reason.reason(texts)}")
    if found.nothing:
        console.print(f"\n{texts('round.nothing')}\n")
        return
    _print_figures(console, found, texts)
    _print_answers(console, found, texts)


def _print_item(console: Console, sign: str, colour: str, text: str) -> None:
    item = Table.grid(padding=(0, 1))
    item.add_column(no_wrap=True, style=colour)
    item.add_column(overflow="fold")
    item.add_row(f"  {sign}", escape(text))
    console.print(item)


def _print_figures(console: Console, found: Changes, texts: Texts) -> None:
    console.print(f"\n[bold]{texts('round.figures', count=len(found.figures), n=found.measured)}[/]")
    if not found.figures:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for at, name in enumerate(("", texts("round.last"), texts("round.now"), texts("ledger.needs"))):
        table.add_column(name, justify="right" if at in {1, 2} else "left", no_wrap=True)
    for one in found.figures:
        line = one.after
        decision = line.decision or "met"
        met = f" [{DECIDED[decision]}]{texts(f'ledger.{decision}')}[/]" if line.needs else ""
        before = "" if one.before is None else format_value(one.before.metric, texts)
        table.add_row(f"  {texts(f'metric.{line.name}.name')}", before, format_value(line.metric, texts),
                      f"{line.needs}{met}")  # fmt: skip
    console.print(table)


def _print_answers(console: Console, found: Changes, texts: Texts) -> None:
    """Their counts, then each question once, under the first system prompt where its answer differs."""
    counts = {name: found.count(name) for name in ("worse", "better", "other")}
    parts = [texts(f"round.{name}", count=count) for name, count in counts.items() if count]
    head = texts("round.answers", count=len(found.answers), n=found.in_both)
    console.print(f"\n[bold]{head}[/]" + (texts("colon") + texts("counts.and").join(parts) if parts else ""))
    for name, count in (("added", found.added), ("removed", found.removed)):
        if count:
            console.print(texts(f"round.{name}", count=count))
    questions = {one.after.probe.id: one for one in reversed(found.answers)}
    ordered = [one for one in found.answers if questions[one.after.probe.id] is one]
    for one in ordered[:SHOWN]:
        _print_answer(console, one, found.after, texts)
    if len(ordered) > SHOWN:
        console.print(f"\n[dim]{texts('round.more', count=len(ordered) - SHOWN)}[/]")
    console.print()


def _print_answer(console: Console, one: ChangedAnswer, report: Report, texts: Texts) -> None:
    group = texts(f"probe.{one.after.probe.group}")
    where = f" · {texts(f'system.kind.{report.systems[one.after.system]}')}" if len(report.systems) > 1 else ""
    old, new = outcome(one.before), outcome(one.after)
    marks = [f"[{COLOUR[word]}]{texts(f'mark.{word}')}[/]" for word in dict.fromkeys((old, new))]
    prompt = escape(one_line(prompt_in_context(one.after.probe, texts)))
    console.print(f"\n[bold]{prompt}[/]  [dim]{group}{where}[/] {' → '.join(marks)}")
    for name, text in (("last", one.before.after), ("now", one.after.after)):
        answer = Table.grid(padding=(0, 1))
        answer.add_column(no_wrap=True, style="dim", min_width=len(Texts()("round.last")))
        answer.add_column(overflow="fold")  # Chinese has no spaces to wrap at
        answer.add_row(texts(f"round.{name}"), escape(text) or f"[dim]{texts('side.no_answer')}[/]")
        console.print(Padding(answer, (0, 0, 0, 2)))
