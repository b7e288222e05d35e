"""Files copied from a base model's folder: its own, and those of a hub's cache; never others that a link names."""

from pathlib import Path

import pytest

from toolkit.core.errors import ConfigError
from toolkit.export.companions import find_companion


def test_a_regular_file_is_found_and_a_missing_one_is_none(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("text")

    assert find_companion(tmp_path, "LICENSE") == tmp_path / "LICENSE"
    assert find_companion(tmp_path, "NOTICE") is None


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "LICENSE.txt").write_text("text")
    (tmp_path / "LICENSE").symlink_to("LICENSE.txt")

    assert find_companion(tmp_path, "LICENSE") == tmp_path / "LICENSE.txt"


def test_a_snapshot_in_a_hubs_cache_leads_to_its_blobs(tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "models--me--mine" / "snapshots" / "abc", tmp_path / "models--me--mine" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "123").write_text("text")
    (snapshot / "LICENSE").symlink_to("../../blobs/123")

    assert find_companion(snapshot, "LICENSE") == blobs / "123"


@pytest.mark.parametrize("folder", ["model", "snapshots/abc", "models--me--mine/snapshots/abc"])
@pytest.mark.parametrize("goal", ["secret", "missing", "LICENSE", "/etc/hostname", "/dev/null"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, folder: str, goal: str) -> None:
    model = tmp_path / folder
    model.mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (model / "LICENSE").symlink_to(tmp_path / "secret" if goal == "secret" else goal)

    with pytest.raises(ConfigError, match="LICENSE is not a regular file of the model's folder"):
        find_companion(model, "LICENSE")


def test_a_blob_that_is_a_link_itself_is_refused(tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "models--me--mine" / "snapshots" / "abc", tmp_path / "models--me--mine" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    (tmp_path / "secret").write_text("secret")
    (blobs / "123").symlink_to(tmp_path / "secret")
    (snapshot / "LICENSE").symlink_to("../../blobs/123")

    with pytest.raises(ConfigError, match="is not a regular file"):
        find_companion(snapshot, "LICENSE")
