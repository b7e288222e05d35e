"""Prints a sweep: one line per run, the frontier marked, and the recommendation, in 80 columns."""

from typing import Literal

from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import answers
from toolkit.compare.report.figures import figure
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import misses
from toolkit.core.text import one_line
from toolkit.sweep.grid import varying
from toolkit.sweep.page import entry_word, needs
from toolkit.sweep.record import Entry, Sweep

SHORT = {
    "learning_rate": "lr",
    "keep_weight": "weight",
    "keep_rows": "rows",
    "lora_rank": "rank",
    "batch_size": "batch",
}
COLUMNS = ("reliability", "generality", "leakage", "kl", "agreement", "locality")


def print_sweep(sweep: Sweep, texts: Texts | None = None) -> None:
    """Prints on stdout; in colour only on a terminal without NO_COLOR."""
    t = texts or Texts()
    console = answers()
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    first = ("", t("rank.run"), t("sweep.recipe"), t("sweep.settings"))
    figures = (*(t(f"rank.short.{name}") for name in COLUMNS), t("sweep.seconds_short"))
    for header in (*first, *figures, t("rank.verdict")):
        right: Literal["left", "right"] = "right" if header in figures else "left"
        table.add_column(header, justify=right, overflow="fold", no_wrap=header not in first[2:])
    names = varying([entry.settings for entry in sweep.entries])
    frontier = {id(entry) for entry in sweep.frontier}
    limits = sweep.thresholds
    if limits:
        wanted = (needs(name, limits).replace(" ", "") for name in COLUMNS)
        table.add_row("", "", t("ledger.needs"), "", *wanted, "", "", style="dim")
    for entry in sweep.entries:
        table.add_row(*_row(entry, names, t, on_frontier=id(entry) in frontier))
    console.print(table)
    console.print(f"[dim]{t('sweep.frontier_short')}[/]\n")
    advice = sweep.recommendation_in(t)
    colour = "green" if advice.passed else "yellow"
    console.print(f"[bold {colour}]{_shown(advice.headline(t))}[/]", soft_wrap=True)
    if advice.run is not None:
        console.print(_shown(advice.reason))
    for entry in sweep.failed:
        name = _shown(entry.run or entry.recipe["name"])
        error = _shown(t("sweep.error", error=entry.error or ""))
        console.print(f"[red]{t('sweep.failed')}{t('colon')}{name}[/]{t('colon')}{error}")


def _row(entry: Entry, names: list[str], t: Texts, *, on_frontier: bool) -> tuple[str, ...]:
    settings = ", ".join(
        f"{SHORT.get(name, name)} {entry.settings[name]:g}" for name in names if name in entry.settings
    )
    measured = [_figure(name, entry) if entry.metrics else "" for name in COLUMNS]
    seconds = "" if entry.seconds is None else f"{entry.seconds:.{0 if entry.seconds >= 100 else 1}f}"  # noqa: PLR2004  # four signs
    return (
        "*" if on_frontier else "",
        _shown(entry.number),
        _shown(entry.recipe["name"]),
        _shown(settings),
        *measured,
        seconds,
        entry_word(entry, t),
    )


def _shown(text: object) -> str:
    """Others' text on one line, without rich markup; the console escapes control characters."""
    return escape(one_line(str(text)))


def _figure(name: str, entry: Entry) -> str:
    value = entry.metrics.get(name)
    if value is None:
        return "-"
    return f"[red]{figure(value)}[/]" if misses(name, value, entry.thresholds) else figure(value)
