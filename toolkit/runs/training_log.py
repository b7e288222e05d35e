"""A run's training for the reader of a report: the loss at each step, the time by phase, the memory. Reads only."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from toolkit.core.documents import parse_json
from toolkit.runs.layout import LOG_FILE
from toolkit.runs.record import RunRecord
from toolkit.runs.run import Run

PHASES = ("import", "read", "encode", "load", "data", "keep", "questions", "train", "save")
COMPARISON_PHASES = ("load", "further", "before", "noise", "after", "drift", "ability", "test", "thoughts", "scan")


@dataclass(frozen=True, kw_only=True)
class Step:
    """`loss`: what was minimized; `cross_entropy`: the rows' part of it, if the rest is a keep term."""

    step: int
    loss: float
    cross_entropy: float | None


@dataclass(frozen=True, kw_only=True)
class TrainingLog:
    """`seconds`: by phase, in order, the rest as `other`. Bytes are None if they were not measured."""

    steps: tuple[Step, ...]
    seconds: Mapping[str, float]
    total_seconds: float
    peak_memory_bytes: int | None
    memory_bytes: int | None
    record: RunRecord


def read_training_log(run: Run) -> TrainingLog:
    """From run.json and logging.jsonl; fields that an old or unfinished run lacks are left out."""
    seconds = phases(run.record.timings_s, PHASES)
    return TrainingLog(
        steps=tuple(_steps(run)),
        seconds=seconds,
        total_seconds=float(run.record.timings_s.get("total", sum(seconds.values()))),
        peak_memory_bytes=run.record.peak_memory_bytes,
        memory_bytes=run.record.hardware.memory_bytes,
        record=run.record,
    )


def phases(timings_s: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    """The seconds of those that took any, in the order of `names`, and what of `total` is left as `other`."""
    seconds = {name: float(timings_s[name]) for name in names if timings_s.get(name)}
    other = round(float(timings_s.get("total", 0)) - sum(seconds.values()), 3)
    return seconds | ({"other": other} if other > 0 else {})


def _steps(run: Run) -> list[Step]:
    """One per step; the last one for a step that was repeated after a resumption."""
    try:
        lines = (run.folder / LOG_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    found: dict[int, Step] = {}
    for line in lines:
        try:
            value = parse_json(line)
            step = Step(step=int(value["step"]), loss=float(value["loss"]), cross_entropy=value.get("cross_entropy"))
        except (ValueError, KeyError, TypeError):  # a summary line, or one cut off by a kill
            continue
        if math.isfinite(step.loss):
            found[step.step] = step
    return [found[number] for number in sorted(found)]
