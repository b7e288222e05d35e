"""A run's record as `toolkit finetune` writes it, with what a test needs in it."""

from pathlib import Path
from typing import Any

from toolkit.runs.record import RunRecord
from toolkit.runs.run import Run


def run_record(**changes: Any) -> RunRecord:
    """A finished run's; `changes` take the place of whole fields."""
    fields = {
        "schema_version": 1,
        "run_id": "v0-20260101-000000",
        "status": "finished",
        "started_at": "2026-01-01T00:00:00+00:00",
        "finished_at": "2026-01-01T00:01:00+00:00",
        "command": "toolkit finetune",
        "seed": 42,
        "base_model": {"name": "micro", "path": "/models/micro"},
        "data": {"path": "/nowhere/data.json", "sha256": "0" * 64, "rows": 1, "dropped": 0},
        "recipe": {"name": "article", "system": "You are a helpful assistant."},
        "versions": {"torch": "2.13.0"},
        "hardware": {"device": "cpu"},
        "timings_s": {"total": 10.0},
        "peak_memory_bytes": 1,
        "train": {"steps": 1, "tokens": 1, "loss": [1.0]},
        "adapter": None,
        "error": None,
    }
    return RunRecord.from_dict(fields | changes)


def run_of(*, system: str) -> Run:
    """A run that was trained under this system prompt; nothing of it is on a disk."""
    return Run(folder=Path("/v0"), record=run_record(recipe={"name": "article", "system": system}))
