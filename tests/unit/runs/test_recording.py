"""A run's record at its end: it says how it ended, also on a full disk, and whatever comes after it."""

import errno
import os
from pathlib import Path

import pytest

from tests.fakes.run_record import run_record
from toolkit.core.errors import ToolkitError
from toolkit.runs import recording as module
from toolkit.runs.layout import RESERVE
from toolkit.runs.recording import Recorder, finish, recording, remove_leftovers
from toolkit.runs.run import create_run_folder, find_run, locked, read_run, write_record


@pytest.fixture(name="recorder")
def _recorder(tmp_path: Path) -> Recorder:
    folder = create_run_folder(tmp_path)
    return Recorder(folder, run_record(run_id=folder.name, status="running", finished_at=None))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("late"), SystemExit(1)])
def test_what_comes_after_the_end_changes_nothing(recorder: Recorder, error: BaseException) -> None:
    def end() -> None:
        with recording(recorder):
            finish(recorder)
            raise error

    with pytest.raises(type(error)):
        end()

    assert read_run(recorder.folder).status == "finished"
    assert find_run(None, recorder.folder.parent).folder == recorder.folder
    assert not (recorder.folder / RESERVE).exists()


def test_a_disk_that_is_full_at_the_end_has_room_for_the_record(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.write_record

    def full(folder: Path, record: object) -> None:
        if (folder / RESERVE).exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(folder, record)  # type: ignore[arg-type]

    with recording(recorder):
        monkeypatch.setattr(module, "write_record", full)
        assert finish(recorder).status == "finished"


def test_a_run_whose_end_cannot_be_recorded_is_failed_and_never_the_latest(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = create_run_folder(recorder.folder.parent)
    write_record(earlier, run_record(run_id=earlier.name))
    module.move_latest(earlier, "finetune")
    real = module.write_record

    def full(folder: Path, record) -> None:
        if record.status == "finished":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(folder, record)

    monkeypatch.setattr(module, "write_record", full)
    with pytest.raises(ToolkitError, match=r"The disk of .* is full"), recording(recorder):
        finish(recorder)

    assert read_run(recorder.folder).status == "failed"
    assert find_run(None, earlier.parent).folder == earlier
    assert (earlier.parent / "latest").readlink() == Path(earlier.name)


def test_a_link_in_the_place_of_the_reserve_is_replaced_and_not_followed(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("years of work")
    (recorder.folder / RESERVE).symlink_to(tmp_path / "thesis")

    with recording(recorder):
        assert not (recorder.folder / RESERVE).is_symlink()
        finish(recorder)

    assert (tmp_path / "thesis").read_text() == "years of work"


def test_the_reserve_of_a_killed_run_is_removed_and_that_of_a_run_at_work_stays(tmp_path: Path) -> None:
    killed, at_work, finished = (create_run_folder(tmp_path) for _ in range(3))
    for folder, status in ((killed, "running"), (at_work, "running"), (finished, "finished")):
        write_record(folder, run_record(run_id=folder.name, status=status))
        (folder / RESERVE).write_bytes(bytes(10))
    (killed / "train.jsonl").write_text("rows")

    with locked(at_work):
        remove_leftovers(tmp_path)

    assert [(folder / RESERVE).exists() for folder in (killed, at_work, finished)] == [False, True, False]
    assert (killed / "train.jsonl").read_text() == "rows"


def test_no_reserve_is_removed_through_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "v0-20260101-000000"
    elsewhere.mkdir(parents=True)
    write_record(elsewhere, run_record())
    (elsewhere / RESERVE).write_bytes(bytes(10))
    (tmp_path / elsewhere.name).symlink_to(elsewhere)

    remove_leftovers(tmp_path)

    assert (elsewhere / RESERVE).exists()
