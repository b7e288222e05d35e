"""The lock of a base model: read, found, and held against a folder."""

import hashlib
import json
from pathlib import Path

import pytest

from toolkit.core.errors import ConfigError
from toolkit.core.events import Progress
from toolkit.model.lock import Lock, LockedFile, choose_lock, find_lock, known_locks, read_lock
from toolkit.model.verify import Mismatch, check_folder, mismatches

CONTENT = {"config.json": b"{}", "model.safetensors": b"weights", "parts/merges.txt": b"a b"}


def locked(name: str, content: bytes) -> LockedFile:
    return LockedFile(name=name, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


LOCK = Lock(
    name="small", folder="Small", repository="maker/small", revision="a" * 40, licence="CC0-1.0",
    files=tuple(locked(name, content) for name, content in CONTENT.items()),
)  # fmt: skip


def as_json(**changes: object) -> dict[str, object]:
    files = {file.name: {"bytes": file.size_bytes, "sha256": file.sha256} for file in LOCK.files}
    return {
        "schema_version": 1, "name": "small", "folder": "Small", "repository": "maker/small", "revision": "a" * 40,
        "licence": "CC0-1.0", "files": files, **changes,
    }  # fmt: skip


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "Small"
    for name, content in CONTENT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(name="locks")
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    locks = tmp_path / "data" / "locks"
    locks.mkdir(parents=True)
    (locks / "small.json").write_text(json.dumps(as_json()))
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path / "data"))
    return locks


def test_the_shipped_lock_is_the_seven_billion_model_at_a_full_revision() -> None:
    lock = find_lock("qwen2.5-7b-instruct")

    assert lock.folder == "Qwen2.5-7B-Instruct"
    assert lock.repository == "Qwen/Qwen2.5-7B-Instruct"
    assert lock.revision == "a09a35458c702b33eeacc393d103063234e8bc28"
    assert len(lock.files) == 12
    assert lock.total_bytes == 15_242_799_511
    assert all(file.name == Path(file.name).name for file in lock.files)


def test_every_shipped_lock_can_be_read_and_stands_under_its_name() -> None:
    assert all(read_lock(path).name == name for name, path in known_locks().items())


def test_a_lock_is_read_as_it_is_written(locks: Path) -> None:
    assert read_lock(locks / "small.json") == LOCK


def test_a_model_that_ships_has_no_repository_and_no_revision(locks: Path) -> None:
    (locks / "small.json").write_text(json.dumps(as_json(repository="", revision="")))
    lock = find_lock("small")

    assert lock.repository == ""
    assert lock.revision == ""


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"name": ""}, "name"),
        ({"folder": "../up"}, "folder"),
        ({"repository": "no-owner"}, "repository"),
        ({"revision": "main"}, "revision"),
        ({"licence": 3}, "licence"),
        ({"files": {}}, "files"),
        ({"files": {"../x": {"bytes": 1, "sha256": "0" * 64}}}, "files → ../x"),
        ({"files": {"/x": {"bytes": 1, "sha256": "0" * 64}}}, "files → /x"),
        ({"files": {"x": {"bytes": -1, "sha256": "0" * 64}}}, "files → x → bytes"),
        ({"files": {"x": {"bytes": True, "sha256": "0" * 64}}}, "files → x → bytes"),
        ({"files": {"x": {"bytes": 1, "sha256": "0" * 63}}}, "files → x → sha256"),
        ({"files": {"x": {"bytes": 1}}}, "files → x → sha256"),
        ({"files": {"x": []}}, "files → x"),
    ],
)
def test_a_wrong_field_is_named_with_its_file(locks: Path, changes: dict[str, object], field: str) -> None:
    path = locks / "small.json"
    path.write_text(json.dumps(as_json(**changes)))
    with pytest.raises(ConfigError) as caught:
        read_lock(path)

    assert str(path) in str(caught.value)
    assert f"{field} " in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{", "{}"])
def test_a_file_that_is_no_lock_is_named(locks: Path, content: str) -> None:
    (locks / "small.json").write_text(content)
    with pytest.raises(ConfigError, match=r"small\.json"):
        read_lock(locks / "small.json")


def test_a_lock_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json cannot be read"):
        read_lock(tmp_path / "none.json")


@pytest.mark.parametrize("name", ["small", "SMALL", "Small", "maker/small"])
def test_a_lock_is_found_by_its_own_its_folders_and_its_repositorys_name(locks: Path, name: str) -> None:
    assert find_lock(name) == LOCK


@pytest.mark.parametrize("name", ["large", "", "../small", "small.json"])
def test_an_unknown_name_lists_the_known(locks: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="Known: small"):
        find_lock(name)


def test_the_lock_of_a_folder_is_told_by_its_name_in_any_case(locks: Path, folder: Path) -> None:
    assert choose_lock(folder.rename(folder.with_name("SMALL"))) == LOCK


def test_the_lock_of_a_renamed_folder_is_told_by_its_config(locks: Path, folder: Path) -> None:
    assert choose_lock(folder.rename(folder.with_name("copy"))) == LOCK


def test_a_folder_that_no_lock_fits_asks_for_one(locks: Path, folder: Path) -> None:
    other = folder.rename(folder.with_name("copy"))
    (other / "config.json").write_text("{ }")
    with pytest.raises(ConfigError, match="--lock: small"):
        choose_lock(other)


def test_a_lock_is_taken_by_name_or_from_a_file(locks: Path, folder: Path) -> None:
    assert choose_lock(folder, "small") == LOCK
    assert choose_lock(folder, str(locks / "small.json")) == LOCK


def test_a_whole_folder_has_no_mismatch(folder: Path) -> None:
    assert check_folder(folder, LOCK) == []


def test_a_changed_byte_is_a_wrong_sha256(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"Weights")
    (mismatch,) = check_folder(folder, LOCK)

    assert (mismatch.name, mismatch.problem) == ("model.safetensors", "sha256")
    assert str(mismatch).startswith(f"model.safetensors: sha256 {hashlib.sha256(b'Weights').hexdigest()[:12]}…")


def test_a_truncated_and_a_missing_file_are_told_before_any_byte_is_hashed(folder: Path) -> None:
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
def test_what_would_be_loaded_beside_the_lock_is_told(folder: Path, name: str) -> None:
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
