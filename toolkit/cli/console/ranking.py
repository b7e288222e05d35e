"""Prints several comparisons: one line each, and which to take, in 80 columns."""

from collections.abc import Sequence
from typing import Literal

from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import answers
from toolkit.compare.report.figures import figure
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import misses
from toolkit.core.text import one_line
from toolkit.runs.runs import verdict_key
from toolkit.sweep.rank import Ranked

COLUMNS = ("reliability", "generality", "residue", "leakage", "kl", "agreement", "locality")


def print_ranking(ranked: Sequence[Ranked], texts: Texts) -> None:
    """Prints runs on stdout, best first."""
    console = answers()
    console.print(
        _table([(escape(one_line(one.name.partition("-")[0])), one) for one in ranked], texts("rank.run"), texts)
    )
    best = ranked[0]
    passed = best.report.verdict.outcome == "passed"
    console.print(
        f"\n[bold {'green' if passed else 'yellow'}]{texts('rank.best', name=escape(one_line(best.name)))}[/]"
    )
    console.print(best.report.verdict.sentence(texts))
    for reason in best.report.verdict.why:
        console.print(f"  - {escape(reason.reason(texts))}")
    if passed and len(ranked) > 1:
        console.print(f"{texts('sweep.chosen', count=len(ranked))}{texts('stop')}", style="dim")


def print_scales(ranked: Sequence[Ranked], texts: Texts) -> None:
    """Prints strengths of one adapter on stdout, and the least one that passes."""
    console = answers()
    console.print(_table([(f"{one.side.scale:g}", one) for one in ranked], texts("rank.scale"), texts))
    met = [one for one in ranked if one.report.verdict.met]
    passed = [one for one in met if one.report.verdict.outcome == "passed"]
    key = "least" if passed else "least_by_figures"
    advice = texts("rank.none_passes")
    if met:
        least = (passed or met)[0]
        why = texts("sweep.and").join(one.reason(texts) for one in least.report.verdict.unmeasured)
        advice = texts(f"rank.{key}", scale=f"{least.side.scale:g}", why=why or texts("rank.too_few"))
    console.print(f"\n[bold {'green' if passed else 'yellow'}]{advice}[/]")


def _table(rows: Sequence[tuple[str, Ranked]], first: str, texts: Texts) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for header in (first, *(texts(f"rank.short.{name}") for name in COLUMNS), texts("rank.verdict")):
        right: Literal["left", "right"] = "left" if header in {first, texts("rank.verdict")} else "right"
        table.add_column(header, justify=right, no_wrap=True)
    for name, one in rows:
        cells = [_cell(column, one) for column in COLUMNS]
        word = verdict_key(one.report.verdict.to_dict())
        table.add_row(name, *cells, texts(f"rank.word.{word}"))
    return table


def _cell(name: str, one: Ranked) -> str:
    value = one.values[name]
    if value is None:
        return "-"
    return f"[red]{figure(value)}[/]" if misses(name, value, one.report.thresholds) else figure(value)
