"""How long a training takes, by an earlier run's pace."""

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.run_record import run_record
from toolkit.runs.pace import duration, expected_time
from toolkit.runs.record import RecordedBase
from toolkit.runs.run import write_record

BASE = RecordedBase.from_dict({"name": "micro", "path": "/models/micro"})
SETTINGS = {"name": "keep", "system": "S", "batch_size": 16, "keep_weight": 10, "precision": "auto"}


def has_run(output: Path, number: int, **changes: Any) -> None:
    folder = output / f"v{number}-20260101-00000{number}"
    folder.mkdir(parents=True)
    recorded = {
        "recipe": {**SETTINGS, "precision": "bfloat16"}, "timings_s": {"train": 20.0},
        "train": {"steps": 10, "tokens": 1000, "loss": [1.0]},
        "hardware": {"device": "cuda", "name": "NVIDIA H100"},
    }  # fmt: skip
    write_record(folder, run_record(run_id=folder.name, **(recorded | changes)))


def test_the_newest_run_on_the_same_base_model_says_how_long_it_takes(tmp_path: Path):
    has_run(tmp_path, 0, timings_s={"train": 1.0})
    has_run(tmp_path, 1)

    assert expected_time(500_000, BASE, SETTINGS, tmp_path) == (
        "about 3 hours at the pace of v1-20260101-000001 (NVIDIA H100)"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"base_model": {"name": "other", "path": "/models/other"}},
        {"recipe": {**SETTINGS, "keep_weight": 0}},
        {"train": {"steps": 0, "tokens": 0, "loss": []}},
        {"timings_s": {}},
    ],
)
def test_a_run_that_computed_something_else_says_nothing(tmp_path: Path, changes: dict[str, Any]):
    has_run(tmp_path, 0, **changes)

    assert expected_time(500_000, BASE, SETTINGS, tmp_path) is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (119, "119 s"), (120, "2 minutes"), (7199, "120 minutes"), (36000, "10 hours"), (200_000, "2 days")],
)
def test_a_duration_is_said_in_its_largest_unit(seconds: float, said: str):
    assert duration(seconds) == said
