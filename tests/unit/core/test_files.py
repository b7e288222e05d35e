"""Hashes, atomic writes, folder locks and free space."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from toolkit.core import files
from toolkit.core.errors import ExportError
from toolkit.core.files import (
    LOCK_NAME,
    file_sha256,
    is_locked,
    lock_folder,
    require_free_space,
    write_json,
    write_text,
)

LOCKS_AND_WAITS = """
import sys
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
