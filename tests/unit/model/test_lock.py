"""The lock of a base model: how it is read, and how it is found."""

import json
from pathlib import Path

import pytest

from tests.fakes.locked_folder import LOCK, make_locked_folder
from toolkit.core.errors import ConfigError
from toolkit.model.lock import choose_lock, find_lock, known_locks, read_lock


def as_json(**changes: object) -> dict[str, object]:
    files = {file.name: {"bytes": file.size_bytes, "sha256": file.sha256} for file in LOCK.files}
    return {
        "schema_version": 1, "name": "small", "folder": "Small", "repository": "maker/small", "revision": "a" * 40,
        "licence": "CC0-1.0", "files": files, **changes,
    }  # fmt: skip


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    return make_locked_folder(tmp_path / "Small")


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
def test_a_file_that_is_not_a_lock_is_named(locks: Path, content: str) -> None:
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


def test_the_lock_of_a_folder_is_found_by_its_name_in_any_case(locks: Path, folder: Path) -> None:
    assert choose_lock(folder.rename(folder.with_name("SMALL"))) == LOCK


def test_the_lock_of_a_renamed_folder_is_found_by_its_config(locks: Path, folder: Path) -> None:
    assert choose_lock(folder.rename(folder.with_name("copy"))) == LOCK


def test_a_folder_that_no_lock_fits_asks_for_one(locks: Path, folder: Path) -> None:
    other = folder.rename(folder.with_name("copy"))
    (other / "config.json").write_text("{ }")
    with pytest.raises(ConfigError, match="--lock: small"):
        choose_lock(other)


def test_a_lock_is_taken_by_name_or_from_a_file(locks: Path, folder: Path) -> None:
    assert choose_lock(folder, "small") == LOCK
    assert choose_lock(folder, str(locks / "small.json")) == LOCK
