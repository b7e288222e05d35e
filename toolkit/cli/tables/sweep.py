"""Prints a sweep: one line per run, the frontier marked, and the recommendation, in 80 columns."""

from typing import Literal

from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import answers
from toolkit.compare.report.figures import figure
from toolkit.core.text import one_line
from toolkit.runs.runs import verdict_word
from toolkit.sweep.grid import varying
from toolkit.sweep.record import FINISHED, Entry, Sweep

SHORT = {
    "learning_rate": "lr",
    "keep_weight": "weight",
    "keep_rows": "rows",
    "lora_rank": "rank",
    "batch_size": "batch",
}
COLUMNS = ("reliability", "generality", "leakage", "kl", "agreement", "locality")
HEADERS = ("rel.", "gen.", "leak", "kl", "agree", "local")


def print_sweep(sweep: Sweep) -> None:
    """Prints on stdout; in colour only on a terminal without NO_COLOR."""
    console = answers()
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for header in ("", "run", "recipe", "settings", *HEADERS, "s", "verdict"):
        right: Literal["left", "right"] = "right" if header in {*HEADERS, "s"} else "left"
        table.add_column(header, justify=right, overflow="fold", no_wrap=header not in {"recipe", "settings"})
    names = varying([entry.settings for entry in sweep.entries])
    frontier = {id(entry) for entry in sweep.frontier}
    for entry in sweep.entries:
        table.add_row(*_row(entry, names, on_frontier=id(entry) in frontier))
    console.print(table)
    console.print("[dim]*: on the frontier of learning (rel., gen.) against kl; s: seconds of training[/]\n")
    advice = sweep.recommendation
    colour = "green" if advice.passed else "yellow"
    console.print(f"[bold {colour}]Recommended: {_shown(advice.run or 'none')}[/]", soft_wrap=True)
    console.print(escape(advice.reason))
    for entry in sweep.failed:
        console.print(f"[red]Failed: {_shown(entry.run or entry.recipe['name'])}[/]: {_shown(entry.error or '')}")


def _row(entry: Entry, names: list[str], *, on_frontier: bool) -> tuple[str, ...]:
    settings = ", ".join(
        f"{SHORT.get(name, name)} {entry.settings[name]:g}" for name in names if name in entry.settings
    )
    measured = [_figure(entry.metrics.get(name)) if entry.metrics else "" for name in COLUMNS]
    seconds = "" if entry.seconds is None else f"{entry.seconds:.{0 if entry.seconds >= 100 else 1}f}"  # noqa: PLR2004  # four signs
    word = entry.status if entry.status != FINISHED or entry.verdict is None else verdict_word(entry.verdict)
    return (
        "*" if on_frontier else "",
        _shown(entry.number),
        _shown(entry.recipe["name"]),
        _shown(settings),
        *measured,
        seconds,
        word,
    )


def _shown(text: object) -> str:
    """Others' text on one line, without rich markup; the console escapes control characters."""
    return escape(one_line(str(text)))


def _figure(value: float | None) -> str:
    return "-" if value is None else figure(value)
