"""Each tracker's own library, where it is installed: what it is handed can be read from its files."""

import importlib.util
import json
import sqlite3
from pathlib import Path

import pytest

from toolkit.core.errors import ConfigError
from toolkit.train.tracking.libraries import LIBRARIES, TensorBoard
from toolkit.train.tracking.tracker import NAMES, require_tracker

SETTINGS = {"base_model": "tiny-qwen2", "epochs": 10}


def test_each_name_has_a_library():
    assert tuple(LIBRARIES) == NAMES


def test_tensorboard_reads_the_curves(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    library = TensorBoard(tmp_path, "v0", None, SETTINGS)
    for step, loss in enumerate([2.5, 1.25], start=1):
        library.log({"loss": loss}, step)
    library.close(failed=False)

    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 2.5), (2, 1.25)]
    assert (library.id, library.where) == ("v0", str(tmp_path))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "tensorboard"])
def test_another_takes_a_run_up_again_offline_or_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    for variable in ("WANDB_MODE", "SWANLAB_MODE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(variable, raising=False)
    if importlib.util.find_spec(name) is None:
        with pytest.raises(ConfigError, match=f"python -m pip install {name}"):
            require_tracker(name)
        return
    folder = tmp_path / name
    first = LIBRARIES[name](folder, "v0", None, SETTINGS)
    first.log({"loss": 2.5}, 1)
    first.close(failed=True)
    again = LIBRARIES[name](folder, "v0", first.id, SETTINGS)
    again.log({"loss": 1.25}, 2)
    again.close(failed=False)

    assert again.id == first.id
    assert str(folder) in again.where
    if name == "mlflow":
        with sqlite3.connect(folder / "mlflow.db") as database:
            rows = database.execute("select step, value from metrics where key = 'loss' order by step").fetchall()
        assert rows == [(1, 2.5), (2, 1.25)]
    else:
        written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert b"loss" in written
        assert json.dumps(SETTINGS["base_model"])[1:-1].encode() in written
