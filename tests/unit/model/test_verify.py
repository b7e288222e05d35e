"""A model's folder compared with its lock."""

import hashlib
from pathlib import Path

import pytest

from tests.fakes.locked_folder import LOCK, make_locked_folder
from toolkit.core.events import Progress
from toolkit.model.verify import Mismatch, check_folder, mismatches


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    return make_locked_folder(tmp_path / "Small")


def test_a_whole_folder_has_no_mismatch(folder: Path) -> None:
    assert check_folder(folder, LOCK) == []


def test_a_changed_byte_is_a_wrong_sha256(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"Weights")
    (mismatch,) = check_folder(folder, LOCK)

    assert (mismatch.name, mismatch.problem) == ("model.safetensors", "sha256")
    assert str(mismatch).startswith(f"model.safetensors: sha256 {hashlib.sha256(b'Weights').hexdigest()[:12]}…")


def test_a_truncated_and_a_missing_file_are_reported_before_any_byte_is_hashed(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"wei")
    (folder / "parts" / "merges.txt").unlink()
    heard: list[Progress] = []
    found = mismatches(folder, LOCK, heard.append)

    assert str(next(found)) == "model.safetensors: 3 bytes, the lock says 7"
    assert str(next(found)) == "parts/merges.txt: missing"
    assert heard == []
    assert list(found) == []
    assert heard[-1].done == heard[-1].total == 2


def test_a_folder_in_the_place_of_a_file_is_missing(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()

    assert check_folder(folder, LOCK) == [Mismatch(name="config.json", problem="missing")]


@pytest.mark.parametrize(
    "name",
    ["pytorch_model.bin", "extra.safetensors", "modeling.py", "adapter_config.json", "chat_template.jinja", "a/b.PT"],
)
def test_what_would_be_loaded_beside_the_lock_is_reported(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"")

    assert check_folder(folder, LOCK) == [Mismatch(name=name, problem="unknown")]


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "configuration.json", ".gitattributes", ".cache/x.bin"])
def test_what_nothing_loads_may_lie_beside(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"")

    assert check_folder(folder, LOCK) == []


def test_links_to_a_cache_are_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").rename(tmp_path / "blob")
    (folder / "model.safetensors").symlink_to(tmp_path / "blob")

    assert check_folder(folder, LOCK) == []


def test_the_listener_hears_every_byte_of_the_whole(folder: Path) -> None:
    heard: list[Progress] = []
    check_folder(folder, LOCK, heard.append)

    assert [event.done for event in heard] == [2, 9, 12]
    assert {(event.task, event.total, event.unit) for event in heard} == {("check Small", 12, "bytes")}
