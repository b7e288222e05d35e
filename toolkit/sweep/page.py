"""A sweep as one HTML file: the recommendation, the plot, a table of the runs. No network, no script."""

from pathlib import Path
from typing import Any

from toolkit import __version__
from toolkit.compare.report.figures import figure
from toolkit.compare.report.html import fill_in
from toolkit.compare.texts import Texts
from toolkit.runs.layout import COMPARISON, REPORT_PAGE
from toolkit.runs.runs import verdict_word
from toolkit.sweep.plot import STYLE, frontier_svg
from toolkit.sweep.record import FINISHED, Entry, Sweep

COLUMNS = ("reliability", "generality", "leakage", "kl", "agreement", "locality")


def sweep_page(sweep: Sweep, texts: Texts | None = None) -> str:
    """The page's HTML, in English unless `texts` says otherwise. Reports that lie beside the sweep are linked."""
    t = texts or Texts()
    advice = sweep.recommendation_in(t)
    frontier = {id(entry) for entry in sweep.frontier}
    return fill_in(
        Path(__file__).with_name("sweep.html.jinja"),
        t=t,
        sweep=sweep,
        advice=advice,
        more_style=STYLE.read_text(encoding="utf-8"),
        plot=frontier_svg(sweep.entries, sweep.frontier, advice, standalone=False, texts=t),
        columns=[t(f"metric.{name}.name") for name in COLUMNS],
        rows=[_row(entry, sweep.folder, t, on_frontier=id(entry) in frontier) for entry in sweep.entries],
        version=__version__,
    )


def _row(entry: Entry, folder: Path, t: Texts, *, on_frontier: bool) -> dict[str, Any]:
    judged = entry.status == FINISHED and entry.verdict is not None
    undecided = judged and (entry.verdict or {}).get("outcome") == "inconclusive"
    # Runs lie beside sweeps/ in the output folder, so the page can be moved only with it.
    report = Path("..", "..", entry.run or "", COMPARISON, REPORT_PAGE)
    return {
        "run": entry.run or "",
        "report": report.as_posix() if entry.run and (folder / report).is_file() else None,
        "settings": entry.label,
        "figures": [_figure(entry.metrics.get(name)) for name in COLUMNS],
        "seconds": "" if entry.seconds is None else f"{entry.seconds:.1f}",
        "word": entry_word(entry, t),
        "tone": "warn" if undecided else "good" if judged and entry.verdict and entry.verdict["passed"] else "bad",
        "error": entry.error,
        "on_frontier": on_frontier,
    }


def entry_word(entry: Entry, texts: Texts) -> str:
    """The verdict of a finished run, else its status."""
    if entry.status != FINISHED or entry.verdict is None:
        return texts(f"sweep.status.{entry.status}")
    return texts(f"rank.word.{verdict_word(entry.verdict).replace(' ', '_')}")


def _figure(value: float | None) -> str:
    return "-" if value is None else figure(value)
