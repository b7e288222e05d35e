"""Hashes, atomic writes, folder locks and free space."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from toolkit.core import files
from toolkit.core.errors import ConfigError, ExportError
from toolkit.core.files import (
    LOCK_NAME,
    file_sha256,
    is_locked,
    lock_folder,
    remove_partial_files,
    require_free_space,
    write_json,
    write_lock,
    write_text,
)

LOCKS_AND_WAITS = """
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from toolkit.core.files import lock_folder
lock = lock_folder(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_hash_reports_its_progress_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BLOCK_BYTES", 4)
    path = tmp_path / "weights"
    path.write_bytes(b"0123456789")
    seen: list[int] = []

    assert file_sha256(path, seen.append) == hashlib.sha256(b"0123456789").hexdigest()
    assert seen == [4, 8, 10]


def test_written_json_is_readable_by_people(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"name": "小明"})

    assert (tmp_path / "run.json").read_text(encoding="utf-8") == '{\n  "name": "小明"\n}\n'


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    write_text(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "new")

    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_locked_by_one_process_at_a_time_and_freed_when_that_one_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LOCKS_AND_WAITS, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        assert is_locked(tmp_path)
        with pytest.raises(BlockingIOError):
            lock_folder(tmp_path)
        child.send_signal(signal.SIGKILL)

    assert not is_locked(tmp_path)
    with lock_folder(tmp_path):
        assert is_locked(tmp_path)


def test_a_folder_without_a_lock_file_is_not_locked(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    assert not is_locked(tmp_path / "missing")


def test_a_folder_that_is_missing_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        lock_folder(tmp_path / "missing")


def test_a_lock_file_replaced_meanwhile_is_locked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    is_same_file, calls = files.is_same_file, []

    def replaced_once(path: Path, file: object) -> bool:
        if not calls:
            path.unlink()
            path.touch()
        calls.append(file)
        return is_same_file(path, file)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "is_same_file", replaced_once)
    with lock_folder(tmp_path) as lock:
        assert len(calls) == 2
        assert is_same_file(tmp_path / LOCK_NAME, lock)
        assert is_locked(tmp_path)


@pytest.mark.parametrize(
    ("needed_bytes", "message"),
    [
        (500_000_000, "has 400 MB free, the merged model needs 600 MB. Free some space, or name another folder with"),
        (9_000_000_000, "has 0.4 GB free, the merged model needs 9.1 GB."),
    ],
)
def test_too_little_space_is_an_error_with_both_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needed_bytes: int, message: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=400_000_000))

    with pytest.raises(ExportError, match=f"{tmp_path} {message}"):
        require_free_space(
            tmp_path / "not" / "yet", needed_bytes, 100_000_000,
            purpose="the merged model", option="--folder", error=ExportError,
        )  # fmt: skip


def test_just_enough_space_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=600))

    require_free_space(tmp_path, 500, 100, purpose="a run", option="--output", error=ExportError)


@pytest.fixture(name="thesis")
def _thesis(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "thesis.txt").write_text("years of work")
    return tmp_path / "elsewhere" / "thesis.txt"


@pytest.mark.parametrize("name", ["run.json", ".run.json.partial", ".lock"])
def test_a_write_follows_no_link_that_waits_for_it(tmp_path: Path, thesis: Path, name: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / name).symlink_to(thesis)

    write_text(folder / "run.json", "new")

    assert thesis.read_text() == "years of work"
    assert (folder / "run.json").read_text() == "new"
    assert not (folder / "run.json").is_symlink()


def test_a_written_file_gets_the_mode_that_new_files_have(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_text(tmp_path / "written", "text")

    assert (tmp_path / "written").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("target", ["thesis.txt", "missing"])
def test_the_lock_of_a_folder_is_never_a_link(tmp_path: Path, thesis: Path, target: str) -> None:
    (tmp_path / LOCK_NAME).symlink_to(thesis.with_name(target))

    with pytest.raises(ConfigError, match=r"\.lock is a symbolic link"):
        lock_folder(tmp_path)
    assert not is_locked(tmp_path)
    assert [path.name for path in thesis.parent.iterdir()] == ["thesis.txt"]


def test_a_pipe_in_the_place_of_a_lock_is_waited_for_by_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / LOCK_NAME)

    assert not is_locked(tmp_path)
    with pytest.raises(OSError, match=r"not a regular file|No such device"):
        lock_folder(tmp_path)


def test_what_a_killed_write_left_is_removed_an_hour_later(tmp_path: Path) -> None:
    old, recent, other = (tmp_path / name for name in (f".{'a' * 16}.partial", f".{'b' * 16}.partial", ".mine.partial"))
    for path in (old, recent, other):
        path.touch()
    os.utime(old, (time.time() - 7200,) * 2)

    remove_partial_files(tmp_path)

    assert sorted(tmp_path.iterdir()) == sorted([recent, other])


def test_threads_take_turns_in_a_folder_even_when_it_is_replaced(tmp_path: Path) -> None:
    folder, inside, most = tmp_path / "folder", 0, 0
    folder.mkdir()

    def work(number: int) -> None:
        nonlocal inside, most
        while not (tmp_path / f"old-{number}").exists():
            # It is missing between another's rename and its mkdir.
            with suppress(FileNotFoundError), write_lock(folder):
                inside += 1
                most = max(most, inside)
                time.sleep(0.01)
                folder.rename(tmp_path / f"old-{number}")
                inside -= 1  # the next one may enter the new folder as soon as it is there
                folder.mkdir()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert most == 1
    assert len(list(tmp_path.glob("old-*"))) == 8


def test_a_link_or_nothing_cannot_be_locked_for_writing(tmp_path: Path, thesis: Path) -> None:
    (tmp_path / "link").symlink_to(thesis.parent)

    for name in ("link", "missing"):
        with pytest.raises(OSError, match=r"Not a directory|No such file"), write_lock(tmp_path / name):
            pass


@pytest.fixture(name="disks")
def _disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Sizes of disks in GB: that of the current folder, and that of a data disk, which is /dev/shm."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOOLKIT_HOME", raising=False)
    monkeypatch.setattr(files, "DATA_DISKS", ("/nowhere", "/dev/shm"))

    def sized(system: int, data: int) -> None:
        total = lambda path: (data if str(path) == "/dev/shm" else system) * 10**9  # noqa: E731
        monkeypatch.setattr(files.shutil, "disk_usage", lambda path: SimpleNamespace(total=total(path)))

    return sized


def test_a_small_system_disk_leads_to_the_data_disk(disks) -> None:
    disks(30, 50)

    assert files.data_disk(known=files.DATA_DISKS) == Path("/dev/shm")
    assert files.data_disk(known=("/nowhere", "/proc")) is None


@pytest.mark.parametrize(("system", "data"), [(200, 500), (30, 20)])
def test_a_large_disk_or_a_smaller_data_disk_changes_nothing(disks, system: int, data: int) -> None:
    disks(system, data)

    assert files.data_disk(known=files.DATA_DISKS) is None


def test_what_is_here_already_stays_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOOLKIT_HOME", raising=False)
    monkeypatch.setattr(files, "data_disk", lambda: Path("/data"))

    assert files.home() == Path("/data/finetune-and-prove")
    (tmp_path / files.RUNS).mkdir()
    assert files.home() == Path()


def test_toolkit_home_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "data_disk", lambda: Path("/data"))
    monkeypatch.setenv("TOOLKIT_HOME", "elsewhere")
    assert files.home() == tmp_path / "elsewhere"

    monkeypatch.setenv("TOOLKIT_HOME", ".")
    assert files.home() == Path()
