"""Several comparisons over one load: runs against each other, or one adapter at several strengths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.questions import probes_for
from toolkit.compare.report.report import Report
from toolkit.compare.sides import Side, run_side
from toolkit.core.errors import ConfigError
from toolkit.core.events import Listener, silent
from toolkit.core.files import write_json
from toolkit.model.language_model import Load
from toolkit.runs.layout import COMPARISON, SCALE_PLOT, SCALES_RECORD
from toolkit.runs.run import find_run
from toolkit.sweep.frontier import shortfall, took
from toolkit.sweep.plot import draw_scales
from toolkit.sweep.shared_base import OneLoad

SCALES = (0.0, 0.25, 0.5, 0.75, 1.0)
Draw = Callable[[Sequence[tuple[float, float, float]], float | None, Path], None]


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """One comparison, with what it lacks to pass (see `frontier.shortfall`)."""

    report: Report
    side: Side
    shortfall: float

    @property
    def name(self) -> str:
        return str(self.report.after["name"])

    @property
    def values(self) -> dict[str, float | None]:
        return self.report.values

    @property
    def took(self) -> float | None:
        """The weaker of reliability and generality."""
        return took(self.values)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "scale": self.side.scale,
            "verdict": self.report.verdict.to_dict(),
            "metrics": dict(self.values),
            "shortfall": self.shortfall,
        }


def rank(
    names: Sequence[str], config: CompareConfig, *, listener: Listener = silent, load: Load | None = None
) -> list[Ranked]:
    """The runs of these names, the best first: those that pass, then the least shortfall, then the least drift.

    Raises ConfigError where they would be asked different probes.
    """
    runs = [find_run(name, config.output) for name in dict.fromkeys(names)]
    sides = [run_side(run, model=config.model) for run in runs]
    if config.probes is None and len({probes_for(side).read_bytes() for side in sides}) > 1:
        raise ConfigError("These runs come with different probes.", next="Name those to rank them by with --probes.")
    configs = [replace(config, run=str(run.folder)) for run in runs]
    return sorted(_compared(configs, listener, load or OneLoad()), key=_order)


def sweep_scale(config: CompareConfig, *, listener: Listener = silent, load: Load | None = None) -> list[Ranked]:
    """The after side's adapter from off to full strength, in that order."""
    configs = [replace(config, scale=scale) for scale in SCALES]
    return _compared(configs, listener, load or OneLoad())


def write_scales(ranked: Sequence[Ranked], folder: Path | None, draw: Draw = draw_scales) -> Path | None:
    """scale.json and scale.png; the folder, or None where the after side is no run and none was named.

    Raises ConfigError.
    """
    side = ranked[-1].side
    if folder is None:
        if side.run is None:
            return None
        folder = side.run.folder / COMPARISON
    points = [
        (one.side.scale, one.took, kl)
        for one in ranked
        if one.took is not None and (kl := one.values["kl"]) is not None
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / SCALES_RECORD, {"schema_version": 1, "scales": [one.to_dict() for one in ranked]})
        draw(points, ranked[-1].report.thresholds.get("kl"), folder / SCALE_PLOT)
    except OSError as error:
        raise ConfigError(
            f"The scales cannot be written to {folder}: {error.strerror}.", next="Name another place with --report."
        ) from None
    return folder


def _compared(configs: Sequence[CompareConfig], listener: Listener, load: Load) -> list[Ranked]:
    return [_ranked(*compare(config, listener=listener, load=load)) for config in configs]


def _ranked(report: Report, side: Side) -> Ranked:
    per_system = [{name: metric.value for name, metric in metrics.items()} for metrics in report.per_system.values()]
    return Ranked(report=report, side=side, shortfall=shortfall(per_system, report.thresholds))


def _order(one: Ranked) -> tuple[bool, float, float]:
    kl = one.values["kl"]
    return (not one.report.verdict.passed, one.shortfall, float("inf") if kl is None else kl)
