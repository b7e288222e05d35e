"""How a run went, from what it left behind."""

import json

import pytest

from tests.fakes.run_record import run_record
from toolkit.runs.run import Run
from toolkit.runs.training_log import Step, read_training_log

TIMINGS = {"import": 1.0, "load": 0.5, "train": 8.0, "total": 10.0}
FIELDS = {"timings_s": TIMINGS, "hardware": {"memory_bytes": 64}, "peak_memory_bytes": None}


def run(folder, *lines: str, **record) -> Run:
    (folder / "logging.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return Run(
        folder=folder,
        record=run_record(
            **{"timings_s": TIMINGS, "hardware": {"memory_bytes": 64}, "peak_memory_bytes": None} | record
        ),
    )


def step(number: int, loss: float, **more) -> str:
    return json.dumps({"step": number, "loss": loss} | more)


def test_the_steps_are_those_of_the_log(tmp_path):
    story = read_training_log(run(tmp_path, step(1, 3.5, cross_entropy=3.0), step(2, 1.0)))

    assert story.steps == (Step(step=1, loss=3.5, cross_entropy=3.0), Step(step=2, loss=1.0, cross_entropy=None))


def test_a_step_done_again_counts_once_and_other_lines_not_at_all(tmp_path):
    lines = (step(1, 3.0), step(2, 9.0), step(2, 1.0), '{"log_history": []}', '{"step": 3, "lo')

    assert [one.loss for one in read_training_log(run(tmp_path, *lines)).steps] == [3.0, 1.0]


def test_time_that_no_phase_names_is_other(tmp_path):
    story = read_training_log(run(tmp_path))

    assert story.seconds == {"import": 1.0, "load": 0.5, "train": 8.0, "other": pytest.approx(0.5)}
    assert (story.total_seconds, story.memory_bytes, story.peak_memory_bytes) == (10.0, 64, None)


def test_a_run_that_left_nothing_has_an_empty_story(tmp_path):
    story = read_training_log(
        Run(folder=tmp_path, record=run_record(timings_s={}, hardware={}, peak_memory_bytes=None))
    )

    assert (story.steps, story.seconds, story.total_seconds) == ((), {}, 0)
