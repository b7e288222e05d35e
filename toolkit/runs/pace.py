"""How long a training takes, by the pace of an earlier run that trained the same base model in the same way."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.runs.layout import DEFAULT_OUTPUT
from toolkit.runs.record import RecordedBase
from toolkit.runs.run import Run, list_runs

# Settings of a recipe that decide how much is computed beside the rows.
ALIKE = (
    "batch_size", "lora_layers", "precision", "load_in_4bit", "keep_weight", "keep_rows", "question_rows", "near_rows",
)  # fmt: skip
MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds


def expected_time(
    tokens: float, base: RecordedBase, settings: Mapping[str, Any], output: Path = DEFAULT_OUTPUT
) -> str | None:
    """`about 10 hours at the pace of v3-… (NVIDIA H100)`, for that many tokens of rows; None without such a run.

    `settings`: the recipe's. The newest run in `output` counts, whichever device it ran on.
    """
    found = [run for run in list_runs(output) if _is_alike(run, base, settings)]
    if not found:
        return None
    record = found[-1].record
    seconds = tokens * record.timings_s["train"] / record.train.tokens
    return f"about {duration(seconds)} at the pace of {found[-1].run_id} ({record.hardware.name or 'CPU'})"


def duration(seconds: float) -> str:
    """In the largest unit that gives at least two: `90 s`, `12 minutes`, `30 hours`, `3 days`."""
    for name, unit in (("days", DAY), ("hours", HOUR), ("minutes", MINUTE)):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(1, round(seconds))} s"


def _is_alike(run: Run, base: RecordedBase, settings: Mapping[str, Any]) -> bool:
    record = run.record
    before = record.recipe.settings
    return (
        record.train.tokens > 0
        and record.timings_s.get("train", 0) > 0
        and (record.base_model.name, record.base_model.revision) == (base.name, base.revision)
        and all(before.get(name) == settings.get(name) for name in ALIKE if settings.get(name) != "auto")
    )
