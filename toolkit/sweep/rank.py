"""Several comparisons with one loaded base model: several runs, or one adapter at several strengths."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.decision import TOOK_AT_LEAST
from toolkit.compare.questions import probes_for
from toolkit.compare.report.report import Report
from toolkit.compare.sides import Side, run_side
from toolkit.core.errors import ConfigError
from toolkit.core.events import Listener, silent
from toolkit.core.file_set import write_file_set
from toolkit.core.files import json_text
from toolkit.model.language_model import Load
from toolkit.runs.layout import COMPARISON, SCALE_PLOT, SCALES_RECORD
from toolkit.runs.run import find_run, require_own_files
from toolkit.sweep.frontier import learned, shortfall
from toolkit.sweep.scale_plot import scales_svg

SCALES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A comparison, with its shortfall (see `frontier.shortfall`)."""

    report: Report
    side: Side
    shortfall: float

    @property
    def name(self) -> str:
        return str(self.report.after["name"])

    @property
    def values(self) -> dict[str, float | None]:
        """Each metric's figure, as every report shows it."""
        return self.report.values

    @property
    def learned(self) -> float | None:
        """The weaker of reliability and generality."""
        return learned(self.values)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "scale": self.side.scale,
            "verdict": self.report.verdict.to_dict(),
            "metrics": dict(self.values),
            "shortfall": self.shortfall,
        }


def rank(names: Sequence[str], config: CompareConfig, *, load: Load, listener: Listener = silent) -> list[Ranked]:
    """Compares the runs, best first: those that pass, those that do by their figures, least shortfall, least drift.

    Raises ConfigError if their probes differ.
    """
    runs = [find_run(name, config.output) for name in dict.fromkeys(names)]
    for run in runs:
        require_own_files(run)
    sides = [run_side(run, model=config.model) for run in runs]
    if config.probes is None and len({probes_for(side).read_bytes() for side in sides}) > 1:
        raise ConfigError(
            "These runs have different probes.", next="Name the probe file to rank them by with --probes."
        )
    configs = [replace(config, run=str(run.folder)) for run in runs]
    return sorted(_compared(configs, listener, load), key=_order)


def sweep_scale(config: CompareConfig, *, load: Load, listener: Listener = silent) -> list[Ranked]:
    """Compares the after side's adapter at each of SCALES, from off to full strength."""
    configs = [replace(config, scale=scale) for scale in SCALES]
    return _compared(configs, listener, load)


def write_scales(ranked: Sequence[Ranked], folder: Path | None) -> Path | None:
    """Writes scale.json and scale.svg; returns the folder, or None where the after side is not a run and none is named.

    Raises ConfigError.
    """
    side, own = ranked[-1].side, folder is None
    if folder is None:
        if side.run is None:
            return None
        folder = side.run.folder / COMPARISON
    points = [
        (one.side.scale, one.learned, kl)
        for one in ranked
        if one.learned is not None and (kl := one.values["kl"]) is not None
    ]
    thresholds = ranked[-1].report.thresholds
    least_learned = max((thresholds[name] for name in TOOK_AT_LEAST if name in thresholds), default=None)
    try:
        write_file_set(folder if own else folder.resolve(), {
            SCALE_PLOT: scales_svg(points, least_learned=least_learned, most_kl=thresholds.get("kl")),
            SCALES_RECORD: json_text(scales_record(ranked)),
        }, own=own)  # fmt: skip
    except OSError as error:
        raise ConfigError(
            f"The scales cannot be written to {folder}: {error.strerror}.", next="Name another folder with --report."
        ) from None
    return folder


def scales_record(ranked: Sequence[Ranked]) -> dict[str, Any]:
    """As scale.json has it."""
    return {"schema_version": 1, "scales": [one.to_dict() for one in ranked]}


def _compared(configs: Sequence[CompareConfig], listener: Listener, load: Load) -> list[Ranked]:
    return [_ranked(*compare(config, listener=listener, load=load)) for config in configs]


def _ranked(report: Report, side: Side) -> Ranked:
    per_system = [{name: metric.value for name, metric in metrics.items()} for metrics in report.per_system.values()]
    return Ranked(report=report, side=side, shortfall=shortfall(per_system, report.thresholds))


def _order(one: Ranked) -> tuple[bool, bool, float, float]:
    kl, verdict = one.values["kl"], one.report.verdict
    undecided = verdict.met and verdict.outcome == "inconclusive"
    return (not verdict.met, undecided, one.shortfall, float("inf") if kl is None else kl)
