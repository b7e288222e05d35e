"""Weights and libraries are read before they are wanted; it never fails, whatever it meets."""

import ctypes
import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.core import read_ahead as read_ahead_module
from toolkit.core.read_ahead import LARGE_BYTES, are_cached, library_files, prefetch

PLENTY, LITTLE = "MemTotal:       99000000 kB\nMemAvailable:   90000000 kB\n", "MemAvailable:   1000 kB\n"
SHARD_BYTES = 3_000_000


@pytest.fixture(name="model")
def _model(tmp_path: Path) -> Path:
    """Six shards, more than there are threads, and a file that is no weights."""
    folder = tmp_path / "model"
    folder.mkdir()
    for number in range(6):
        with (folder / f"model-{number}.safetensors").open("wb") as file:
            file.write(os.urandom(SHARD_BYTES))
            os.fsync(file.fileno())
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture(name="memory")
def _memory(tmp_path: Path) -> Path:
    path = tmp_path / "meminfo"
    path.write_text(PLENTY)
    return path


def finished(threads: list) -> int:
    for thread in threads:
        thread.join()
    return len(threads)


def cached_pages(path: Path) -> int:
    """How many pages of the file are in the page cache (mincore), without touching them."""
    libc = ctypes.CDLL(None, use_errno=True)
    size = path.stat().st_size
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, flags=mmap.MAP_PRIVATE) as area:
        flags = (ctypes.c_ubyte * (-(-size // mmap.PAGESIZE)))()
        start = ctypes.c_char.from_buffer(area)
        failed = libc.mincore(ctypes.byref(start), ctypes.c_size_t(size), flags)
        del start  # else the area cannot be closed
    assert not failed
    return sum(flag & 1 for flag in flags)


def forget(path: Path) -> None:
    """Out of the page cache with it."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if cached_pages(path):
        pytest.skip("this file system keeps pages that it should drop")


def test_every_weight_file_is_in_the_page_cache_afterwards(model: Path, memory: Path):
    shards = sorted(model.glob("*.safetensors"))
    for path in shards:
        forget(path)

    finished(prefetch(model, memory))

    assert [cached_pages(path) for path in shards] == [-(-SHARD_BYTES // mmap.PAGESIZE)] * 6


def test_four_files_are_read_at_a_time(model: Path, memory: Path):
    assert finished(prefetch(model, memory)) == 4


def test_one_file_takes_one_thread(model: Path, memory: Path):
    for path in sorted(model.glob("*.safetensors"))[1:]:
        path.unlink()

    assert finished(prefetch(model, memory)) == 1


def test_weights_that_would_fill_the_memory_are_not_read(model: Path, memory: Path):
    memory.write_text(LITTLE)

    assert prefetch(model, memory) == []


@pytest.mark.parametrize("content", ["", "MemAvailable:\n", "MemAvailable: much kB\n", None])
def test_a_system_that_does_not_report_its_memory_is_left_as_it_is(model: Path, memory: Path, content: str | None):
    memory.unlink() if content is None else memory.write_text(content)

    assert prefetch(model, memory) == []


def test_a_folder_without_weights_or_none_at_all_is_not_an_error(tmp_path: Path, memory: Path):
    assert prefetch(tmp_path, memory) == []
    assert prefetch(tmp_path / "nowhere", memory) == []


def test_a_file_that_cannot_be_read_is_not_an_error(
    model: Path, memory: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
):
    def refuse(*_):
        raise OSError("sendfile is not supported here")

    monkeypatch.setattr(os, "sendfile", refuse)

    assert finished(prefetch(model, memory)) == 4
    assert not recwarn.list  # pytest warns of a thread that raised


@pytest.fixture(name="packages")
def _packages(tmp_path: Path) -> Path:
    """Installed packages: what is imported of them, and what is not."""
    for name in (
        "torch/__pycache__/a.pyc", "torch/a.py", "torch/lib/libsmall.so.2", "torch/lib/liblarge.so",
        "torch/include/b.pyc", "torch/testing/c.pyc", "transformers/__pycache__/d.pyc",
        "transformers/models/qwen2/e.py", "transformers/models/qwen2/__pycache__/e.pyc", "other/__pycache__/f.pyc",
    ):  # fmt: skip
        path = tmp_path / "packages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0")
    os.truncate(tmp_path / "packages/torch/lib/liblarge.so", LARGE_BYTES + 1)
    return tmp_path / "packages"


def test_of_the_libraries_what_an_import_reads(packages: Path):
    read = {str(path.relative_to(packages)) for path in library_files(packages)}

    assert read == {
        "torch/__pycache__/a.pyc", "torch/lib/libsmall.so.2", "transformers/__pycache__/d.pyc",
        "transformers/models/qwen2/e.py",
    }  # fmt: skip


@pytest.mark.parametrize("where", ["packages", "nowhere"])
def test_the_program_reads_libraries_with_only_the_standard_library(packages: Path, where: str):
    done = subprocess.run(
        [sys.executable, "-I", "-S", read_ahead_module.__file__, packages.with_name(where)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_libraries_are_cached_when_the_last_of_them_is(packages: Path):
    path = packages / "swift/model/__pycache__/__init__.cpython-311.pyc"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.write(bytes(SHARD_BYTES))
        os.fsync(file.fileno())
    assert are_cached(packages)

    forget(path)

    assert not are_cached(packages)


def test_libraries_that_are_imported_already_are_not_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch", object())
    monkeypatch.setattr(subprocess, "Popen", None)

    read_ahead_module.prefetch_libraries()


def test_a_program_that_cannot_be_started_is_not_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    read_ahead_module.prefetch_libraries()
