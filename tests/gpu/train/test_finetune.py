"""Fine-tuning on a card: a resumed run equals an uninterrupted one, and a base model in 4 bits trains."""

import math
from pathlib import Path

import pytest

from toolkit.core.errors import Interrupted
from toolkit.core.events import Caller, Progress, StopRequests
from toolkit.core.files import data_folder
from toolkit.runs.run import Run, list_runs
from toolkit.train.finetune import FinetuneConfig, finetune, resume
from toolkit.train.job import TRAINING
from toolkit.train.recipe import load_recipe

pytestmark = pytest.mark.gpu


def tiny_run(output: Path, *, stop_after: int | None = None, **settings: object) -> Run:
    """The embedded model on its own data set; `stop_after`: the step after which the user asks to stop."""
    stop = StopRequests(lambda _: None)

    def on_progress(event: Progress) -> None:
        stop.requested = stop.requested or (event.task == TRAINING and event.done == stop_after)

    recipe = load_recipe("tiny").changed(keep_max_new_tokens=16, **settings)
    config = FinetuneConfig(
        data="self_cognition.json", recipe=recipe, model=str(data_folder() / "tiny-qwen2"), output=output
    )
    return finetune(config, Caller(stop=stop, listener=on_progress))


@pytest.mark.parametrize("stop_after", [3, 8])  # within an epoch of four steps, and at the end of one
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, stop_after):
    settings = {"epochs": 4.0, "precision": "float32"}
    uninterrupted = tiny_run(tmp_path / "uninterrupted", **settings)
    with pytest.raises(Interrupted):
        tiny_run(tmp_path / "resumed", stop_after=stop_after, **settings)
    (interrupted,) = list_runs(tmp_path / "resumed")

    resumed = resume(interrupted.run_id, tmp_path / "resumed", Caller(stop=StopRequests(lambda _: None)))

    assert len(interrupted.record.train.loss) < len(uninterrupted.record.train.loss)
    assert resumed.record.train.loss == pytest.approx(uninterrupted.record.train.loss, rel=1e-3)
    assert resumed.record.hardware.device == "cuda"


def test_a_base_model_in_4_bits_trains(tmp_path):
    pytest.importorskip("bitsandbytes")

    run = tiny_run(tmp_path / "output", epochs=6.0, load_in_4bit=True)

    losses = run.record.train.loss
    assert (run.status, run.record.base_model.load_in_4bit) == ("finished", True)
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0] / 2
