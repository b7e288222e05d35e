"""A tracker gets each step as it is logged; where it fails, the training goes on."""

import json
from pathlib import Path

import pytest

from tests.fakes.run_record import run_record
from tests.fakes.tracker import FakeTracker
from toolkit.core.errors import ConfigError
from toolkit.core.events import Progress, silent
from toolkit.runs.layout import LOG_FILE, TRACKING
from toolkit.runs.recording import Recorder
from toolkit.runs.run import read_run
from toolkit.train.tracking import tracker
from toolkit.train.tracking.tracker import NAMES, require_tracker, tracked

STEP = Progress(task="Training", done=1, total=2)


@pytest.fixture(name="recorder")
def _recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.setattr(tracker, "LIBRARIES", dict.fromkeys(NAMES, FakeTracker))
    folder = tmp_path / "v0-20261129-120000"
    folder.mkdir()
    return Recorder(folder, run_record(run_id=folder.name))


def logs(recorder: Recorder, text: str) -> None:
    with (recorder.folder / LOG_FILE).open("a", encoding="utf-8") as file:
        file.write(text)


def step(number: int, **values: object) -> str:
    return json.dumps({"step": number, "of": 2, **values}) + "\n"


def test_each_step_arrives_once_with_its_curves(recorder: Recorder):
    with tracked(recorder, "wandb", silent, lambda _: None) as listener:
        logs(recorder, step(1, loss=2.5, memory_bytes=None, learning_rate=1e-4) + '{"step": 2, "lo')
        listener(STEP)
        logs(recorder, 'ss": 1.5}\n')

    made = FakeTracker.made[-1]
    assert made.logged == [(1, {"loss": 2.5, "learning_rate": 1e-4}), (2, {"loss": 1.5})]
    assert made.folder == recorder.folder / TRACKING / "wandb"
    assert made.failed is False


def test_its_run_is_recorded_before_the_first_step(recorder: Recorder):
    said: list[str] = []
    with tracked(recorder, "mlflow", silent, said.append):
        recorded = read_run(recorder.folder).record.tracking

    assert recorded is not None
    assert (recorded.library, recorded.id) == ("mlflow", f"id-of-{recorder.folder.name}")
    assert said == [f"tracking: mlflow {recorded.id} ({recorded.where})"]


def test_a_resumed_run_is_taken_up_under_its_id_and_earlier_steps_are_not_sent_again(recorder: Recorder):
    with tracked(recorder, "swanlab", silent, lambda _: None):
        logs(recorder, step(1, loss=2.0))
    first = FakeTracker.made[-1]
    with tracked(recorder, "swanlab", silent, lambda _: None):
        logs(recorder, step(2, loss=1.0))
    again = FakeTracker.made[-1]

    assert again.id == first.id
    assert again.logged == [(2, {"loss": 1.0})]


def test_a_tracker_that_fails_is_left_and_the_training_goes_on(recorder: Recorder):
    said: list[str] = []
    with tracked(recorder, "wandb", silent, said.append) as listener:
        FakeTracker.made[-1].fails = True
        logs(recorder, step(1, loss=2.0))
        listener(STEP)
        logs(recorder, step(2, loss=1.0))
        listener(STEP)

    assert said[1:] == ["The tracker failed, and the training goes on without it: the disk of the tracker is full."]


def test_a_failed_training_is_a_failed_run_there_too(recorder: Recorder):
    with pytest.raises(ValueError, match="diverged"), tracked(recorder, "wandb", silent, lambda _: None):
        raise ValueError("diverged")

    assert FakeTracker.made[-1].failed is True


def test_without_a_tracker_nothing_is_recorded(recorder: Recorder):
    with tracked(recorder, None, silent, lambda _: None) as listener:
        assert listener is silent
    assert recorder.record.tracking is None


def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch):
    require_tracker(None)
    require_tracker("tensorboard")  # comes with ms-swift
    monkeypatch.setattr(tracker.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="python -m pip install swanlab"):
        require_tracker("swanlab")


def test_a_library_that_cannot_begin_says_why(recorder: Recorder, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise RuntimeError("no API key\nlong story")

    monkeypatch.setattr(tracker, "LIBRARIES", {"wandb": refuse})
    message = r"wandb cannot begin: no API key\. .*--track wandb"
    with pytest.raises(ConfigError, match=message), tracked(recorder, "wandb", silent, lambda _: None):
        pass
