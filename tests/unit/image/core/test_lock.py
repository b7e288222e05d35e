"""The lock of a base model: read as the model side reads it, and checked inside the build."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from image.core.lock import read_lock, wrong_files
from image.core.project import ROOT


def test_both_sides_read_the_same_lock() -> None:
    from toolkit.model.lock import read_lock as read_on_the_model_side

    for path in (ROOT / "data/locks").glob("*.json"):
        ours, theirs = read_lock(path), read_on_the_model_side(path)
        assert [(file.name, file.size_bytes, file.sha256) for file in ours.files] == [
            (file.name, file.size_bytes, file.sha256) for file in theirs.files
        ]
        assert (ours.folder, ours.repository, ours.licence) == (theirs.folder, theirs.repository, theirs.licence)


@pytest.fixture(name="model")
def _model(tmp_path: Path) -> Path:
    """A folder and its lock, tmp_path/lock.json."""
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    files = {"config.json": b"{}", "model.safetensors": b"weights", "sub/more.txt": b"more"}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    lock = {
        "name": "m", "folder": "m", "repository": "", "revision": "0" * 40, "licence": "Apache-2.0",
        "source_date_epoch": 0,
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        },
    }  # fmt: skip
    (tmp_path / "lock.json").write_text(json.dumps(lock))
    return folder


def check_in_the_build(model: Path) -> "subprocess.CompletedProcess[str]":
    """As the Dockerfile runs it: a script of its own, without the package."""
    parent = model.parent
    command = [sys.executable, "-I", ROOT / "image/core/lock.py", parent / "lock.json", model, parent / "small"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_builds_check_leaves_out_the_weights_and_sums_all(model: Path) -> None:
    assert check_in_the_build(model).returncode == 0
    small = model.parent / "small"
    assert {path.name for path in small.rglob("*") if path.is_file()} == {"config.json", "more.txt", "SHA256SUMS"}
    sums = subprocess.run(["sha256sum", "--check", small / "SHA256SUMS"], cwd=model, capture_output=True, check=False)
    assert sums.returncode == 0


def test_the_builds_check_names_each_wrong_file(model: Path) -> None:
    (model / "model.safetensors").write_bytes(b"weighty")
    (model / "config.json").unlink()
    done = check_in_the_build(model)
    assert done.returncode == 4
    assert "config.json: missing" in done.stderr
    assert "model.safetensors: sha256" in done.stderr
    assert not (model.parent / "small").exists()


def test_progress_counts_every_byte(model: Path) -> None:
    heard: list[int] = []
    assert list(wrong_files(model, read_lock(model.parent / "lock.json"), heard.append)) == []
    assert sum(heard) == sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
