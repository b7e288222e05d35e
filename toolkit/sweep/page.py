"""A sweep as one HTML file: the recommendation, the plot, the runs with their thresholds. No network, no script."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit import __version__
from toolkit.compare.report.charts import LEAST_END, bar
from toolkit.compare.report.figures import figure
from toolkit.compare.report.html import NO_SHARE, fill_in
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import AT_LEAST, misses
from toolkit.runs.layout import COMPARISON, REPORT_PAGE
from toolkit.runs.runs import verdict_key
from toolkit.sweep.frontier import Recommendation
from toolkit.sweep.plot import NARROW, STYLE, WIDE, frontier_svg
from toolkit.sweep.record import FINISHED, Entry, Sweep

COLUMNS = ("reliability", "generality", "leakage", "kl", "agreement", "locality")


def sweep_page(sweep: Sweep, texts: Texts | None = None, *, linking: bool = True) -> str:
    """The page's HTML, in English unless `texts` says otherwise; also of a sweep that goes on.

    `linking`: the reports that lie beside the sweep are linked.
    """
    t = texts or Texts()
    advice = sweep.recommendation_in(t)
    style = (STYLE, Path(__file__).with_name("page.css"))
    drawn = [
        frontier_svg(sweep.entries, sweep.frontier, advice, standalone=False, texts=t, canvas=canvas)
        for canvas in (WIDE, NARROW)  # the style shows the one that fits
    ]
    names = _columns(sweep)
    return fill_in(
        Path(__file__).with_name("sweep.html.jinja"),
        t=t,
        sweep=sweep,
        advice=advice,
        more_style="".join(path.read_text(encoding="utf-8") for path in style),
        plots=[plot for plot in drawn if plot],
        columns=[{"title": t(f"metric.{name}.name"), "needs": needs(name, sweep.thresholds)} for name in names],
        rows=[row if linking else row | {"report": None} for row in _rows(sweep, names, advice, t)],
        version=__version__,
    )


def _columns(sweep: Sweep) -> list[str]:
    """COLUMNS, and every other metric by which a run fails."""
    missed = [
        name
        for entry in sweep.entries
        for name, value in entry.metrics.items()
        if misses(name, value, entry.thresholds)
    ]
    return list(dict.fromkeys((*COLUMNS, *missed)))


def needs(name: str, limits: Mapping[str, float]) -> str:
    """The metric's threshold, such as `≥ 0.9`; empty without one."""
    return f"{'≥' if name in AT_LEAST else '≤'} {limits[name]:g}" if name in limits else ""


def _rows(sweep: Sweep, names: list[str], advice: Recommendation, t: Texts) -> list[dict[str, Any]]:
    frontier = {id(entry) for entry in sweep.frontier}
    ends = {name: max([LEAST_END, *(entry.metrics.get(name) or 0.0 for entry in sweep.entries)]) for name in names}
    named = t(f"sweep.svg.{'recommended' if advice.passed else 'closest'}")
    return [
        _row(entry, sweep.folder, t) | {
            "cells": [_cell(name, entry, ends[name], t) for name in names],
            "on_frontier": id(entry) in frontier,
            "named": named if entry.run is not None and entry.run == advice.run else "",
        }
        for entry in sweep.entries
    ]  # fmt: skip


def _row(entry: Entry, folder: Path, t: Texts) -> dict[str, Any]:
    judged = entry.status == FINISHED and entry.verdict is not None
    undecided = judged and (entry.verdict or {}).get("outcome") == "inconclusive"
    # Runs lie beside sweeps/ in the output folder, so the page can be moved only with it.
    report = Path("..", "..", entry.run or "", COMPARISON, REPORT_PAGE)
    return {
        "run": entry.run or "",
        "report": report.as_posix() if entry.run and (folder / report).is_file() else None,
        "settings": entry.label,
        "seconds": "" if entry.seconds is None else f"{entry.seconds:.1f}",
        "word": entry_word(entry, t),
        "tone": "warn" if undecided else "good" if judged and entry.verdict and entry.verdict["passed"] else "bad",
        "error": entry.error,
    }


def _cell(name: str, entry: Entry, end: float, t: Texts) -> dict[str, Any]:
    """A figure, and where it lies on its scale beside its threshold. `end`: the column's largest figure."""
    value = entry.metrics.get(name)
    return {
        "text": "-" if value is None else figure(value),
        "name": f"{t(f'metric.{name}.name')} {needs(name, entry.thresholds)}".strip(),
        "missed": misses(name, value, entry.thresholds),
        "at_least": name in AT_LEAST,
        "bar": bar(
            value=value, low=None, high=None, limit=entry.thresholds.get(name), noise=None,
            share=name not in NO_SHARE, small_is_good=name not in AT_LEAST, least_end=end,
        ),
    }  # fmt: skip


def entry_word(entry: Entry, texts: Texts) -> str:
    """The verdict of a finished run, else its status."""
    if entry.status != FINISHED or entry.verdict is None:
        return texts(f"sweep.status.{entry.status}")
    return texts(f"rank.word.{verdict_key(entry.verdict)}")
