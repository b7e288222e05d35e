"""The door to matplotlib: took against kept, a point a run, as PNG."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolkit.sweep.record import Entry

LEAST_KL = 1e-5  # where a logarithmic axis ends: what drifts less is drawn there
SIZE_INCHES, DOTS_AN_INCH = (8, 5.5), 120
LABELS_LEFT_FROM = 0.85  # there a label on the right would leave the picture
LEAST_COLOUR_RANGE = 0.05  # a leakage of 0.01 does not look like a disaster


def draw(entries: Sequence[Entry], frontier: Sequence[Entry], path: Path) -> None:
    """Writes `path`; entries without both measures are left out."""
    import logging

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of its font cache
    from matplotlib.figure import Figure  # no pyplot: it would look for a display

    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_AN_INCH, layout="constrained")
    axes = figure.add_subplot()
    _points(figure, axes, [entry for entry in entries if None not in entry.point])
    line = [_at(entry) for entry in frontier]
    axes.step(
        [took for took, _ in line], [kl for _, kl in line], where="pre", color="0.5", linewidth=1, zorder=1,
        label="frontier",
    )  # fmt: skip
    axes.set(
        yscale="log", xlim=(-0.05, 1.08), xlabel="took: the weaker of reliability and generality",
        ylabel="kept: KL(base || tuned) per token, lower is better", title="Took against kept",
    )  # fmt: skip
    axes.grid(visible=True, which="major", color="0.9")
    axes.set_axisbelow(True)
    axes.legend(loc="best", frameon=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a recipe's name may be Chinese
        figure.savefig(path)


def _points(figure: Any, axes: Any, shown: Sequence[Entry]) -> None:
    """Colour tells of leakage; a filled circle passed, a cross did not."""
    most = max([LEAST_COLOUR_RANGE, *(entry.metrics.get("leakage") or 0.0 for entry in shown)])
    dots = None
    for passed, mark, label in ((True, "o", "passed"), (False, "X", "did not pass")):
        some = [entry for entry in shown if (entry.verdict or {}).get("passed") is passed]
        if not some:
            continue
        dots = axes.scatter(
            [_at(entry)[0] for entry in some], [_at(entry)[1] for entry in some], marker=mark, s=70, label=label,
            c=[entry.metrics.get("leakage") or 0.0 for entry in some], cmap="viridis_r", vmin=0, vmax=most,
            edgecolors="black", linewidths=0.6, zorder=3,
        )  # fmt: skip
    if dots is not None:
        figure.colorbar(dots, ax=axes, label="leakage")
    for entry in shown:
        left = _at(entry)[0] > LABELS_LEFT_FROM
        axes.annotate(
            f"{entry.number} {entry.recipe['name']}", _at(entry), xytext=(-7 if left else 7, 5), fontsize=8,
            textcoords="offset points", ha="right" if left else "left",
        )  # fmt: skip


def draw_scales(points: Sequence[tuple[float, float, float]], limit: float | None, path: Path) -> None:
    """Points of (scale, took, kl): both over the adapter's strength; `limit`: of kl."""
    import logging

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of its font cache
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_AN_INCH, layout="constrained")
    took, kl = figure.subplots(2, sharex=True)
    scales = [scale for scale, _, _ in points]
    took.plot(scales, [value for _, value, _ in points], marker="o", color="tab:green")
    took.set(ylim=(-0.05, 1.05), ylabel="took", title="Took and kept over the adapter's scale")
    kl.plot(scales, [value for _, _, value in points], marker="o", color="tab:blue")
    if limit is not None:
        kl.axhline(limit, color="0.5", linestyle="--", linewidth=1, label=f"at most {limit:g}")
        kl.legend(frameon=False, loc="upper left")
    kl.set(xlabel="scale", ylabel="kept: KL(base || tuned)", ylim=(0, max([kl.get_ylim()[1], (limit or 0) * 1.2])))
    for axes in (took, kl):
        axes.grid(visible=True, color="0.9")
    figure.savefig(path)


def _at(entry: Entry) -> tuple[float, float]:
    took, kl = entry.point
    return took or 0.0, max(kl or 0.0, LEAST_KL)
