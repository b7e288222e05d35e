"""A sweep as one HTML file beside its plot: the recommendation, the plot, every run. No network, no script."""

import base64
from pathlib import Path
from typing import Any

from toolkit import __version__
from toolkit.compare.report.figures import figure
from toolkit.compare.report.html import fill_in
from toolkit.runs.layout import COMPARISON, REPORT_PAGE
from toolkit.runs.runs import verdict_word
from toolkit.sweep.record import FINISHED, PLOT, Entry, Sweep

COLUMNS = ("reliability", "generality", "leakage", "kl", "agreement", "locality")


def sweep_page(sweep: Sweep) -> str:
    """The plot is taken in where there is one. Raises OSError where it cannot be read."""
    plot, frontier = sweep.folder / PLOT, {id(entry) for entry in sweep.frontier}
    return fill_in(
        Path(__file__).with_name("sweep.html.jinja"),
        sweep=sweep,
        plot=base64.b64encode(plot.read_bytes()).decode() if plot.is_file() else None,
        columns=COLUMNS,
        rows=[_row(entry, sweep.folder, on_frontier=id(entry) in frontier) for entry in sweep.entries],
        version=__version__,
    )


def _row(entry: Entry, folder: Path, *, on_frontier: bool) -> dict[str, Any]:
    judged = entry.status == FINISHED and entry.verdict is not None
    # Runs lie beside sweeps/ in the output folder, so the page can be moved only with it.
    report = Path("..", "..", entry.run or "", COMPARISON, REPORT_PAGE)
    return {
        "run": entry.run or "",
        "report": report.as_posix() if entry.run and (folder / report).is_file() else None,
        "settings": entry.told,
        "figures": [_figure(entry.metrics.get(name)) for name in COLUMNS],
        "seconds": "" if entry.seconds is None else f"{entry.seconds:.1f}",
        "word": verdict_word(entry.verdict) if judged and entry.verdict is not None else entry.status,
        "passed": judged and bool(entry.verdict and entry.verdict["passed"]),
        "error": entry.error,
        "on_frontier": on_frontier,
    }


def _figure(value: float | None) -> str:
    return "-" if value is None else figure(value)
