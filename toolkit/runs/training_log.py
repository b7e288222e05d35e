"""How a run went, for a report's reader: the loss at each step, where the time went, and the memory. Reads only."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.runs.layout import LOG_FILE
from toolkit.runs.run import Run

PHASES = ("import", "load", "data", "keep", "train", "save")


@dataclass(frozen=True, kw_only=True)
class Step:
    """`loss` is what was minimized; `cross_entropy` is the rows' part of it, where the rest is a keep term."""

    step: int
    loss: float
    cross_entropy: float | None


@dataclass(frozen=True, kw_only=True)
class TrainingLog:
    """`seconds`: by phase, in order, with `other` for what no phase names. Bytes are None where not measured."""

    steps: tuple[Step, ...]
    seconds: Mapping[str, float]
    total_seconds: float
    peak_memory_bytes: int | None
    memory_bytes: int | None
    record: Mapping[str, Any]


def read_training_log(run: Run) -> TrainingLog:
    """From run.json and logging.jsonl; what an old or an unfinished run lacks is left out."""
    timings = {name: value for name, value in (run.record.get("timings_s") or {}).items() if isinstance(value, float)}
    seconds = {name: timings[name] for name in PHASES if timings.get(name)}
    total = timings.get("total", sum(seconds.values()))
    other = round(total - sum(seconds.values()), 3)
    return TrainingLog(
        steps=tuple(_steps(run)),
        seconds=seconds | ({"other": other} if other > 0 else {}),
        total_seconds=total,
        peak_memory_bytes=run.record.get("peak_memory_bytes"),
        memory_bytes=(run.record.get("hardware") or {}).get("memory_bytes"),
        record=run.record,
    )


def _steps(run: Run) -> list[Step]:
    """One a step; of a step that was done again after a resumption, the last."""
    try:
        lines = (run.folder / LOG_FILE).read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    found: dict[int, Step] = {}
    for line in lines:
        try:
            value = json.loads(line)
            step = Step(step=int(value["step"]), loss=float(value["loss"]), cross_entropy=value.get("cross_entropy"))
        except (ValueError, KeyError, TypeError):  # a summary line, or one cut off by a kill
            continue
        if math.isfinite(step.loss):
            found[step.step] = step
    return [found[number] for number in sorted(found)]
