"""Waiting for a base model that another process downloads; here a thread, since flock tells open files apart."""

import threading
import time
from pathlib import Path

import pytest

from tests.fakes.model_folder import make_model_folder
from toolkit.core.errors import ModelError
from toolkit.core.files import lock_folder
from toolkit.model.base_model import find_base_model
from toolkit.model.hub.arrival import partial_folder, wait_for, wait_for_base_model

TARGET = Path("models/Qwen2.5-7B-Instruct")


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOOLKIT_MODEL", raising=False)


def arriving(*, whole: bool) -> threading.Thread:
    """A download that has begun, and ends in a moment."""
    files = list(make_model_folder(Path("made")).iterdir())
    partial = partial_folder(TARGET)
    partial.mkdir(parents=True)
    lock = lock_folder(partial)

    def end() -> None:
        with lock:
            time.sleep(0.2)
            if whole:
                for file in files:
                    file.rename(partial / file.name)
                partial.rename(TARGET)

    thread = threading.Thread(target=end)
    thread.start()
    return thread


def test_a_model_that_is_arriving_is_waited_for() -> None:
    thread = arriving(whole=True)

    assert find_base_model().path.name == TARGET.name
    thread.join()


def test_what_is_to_be_done_meanwhile_is_done_before_the_model_is_there() -> None:
    thread, seen = arriving(whole=True), []
    waited = wait_for_base_model(None, lambda: seen.append(TARGET.is_dir()))
    thread.join()

    assert seen == [False]
    assert waited > 0
    assert TARGET.is_dir()


def test_a_download_that_gives_up_is_the_reason() -> None:
    thread = arriving(whole=False)
    with pytest.raises(ModelError, match="is not on this disk: its download ended too early"):
        find_base_model()
    thread.join()


def test_what_an_interrupted_download_left_is_not_waited_for() -> None:
    partial_folder(TARGET).mkdir(parents=True)
    lock_folder(partial_folder(TARGET)).close()

    assert wait_for_base_model(None, pytest.fail) == 0


def test_a_folder_that_is_there_is_taken_although_another_is_arriving() -> None:
    thread = arriving(whole=True)
    here = Path("here")
    here.mkdir()

    assert wait_for([here, TARGET]) == 0
    thread.join()


def test_a_model_of_ones_own_has_no_place_to_look_at(tmp_path: Path) -> None:
    assert wait_for_base_model(str(tmp_path), pytest.fail) == 0
