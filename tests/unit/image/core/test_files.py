"""Digests, and files that are replaced whole or not at all."""

import os
from pathlib import Path

import pytest

from image.core.errors import ConfigError
from image.core.files import content_digest, file_digest, replace_atomically, shareable_files


def test_a_file_has_the_digest_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == content_digest(b"abc")
    assert content_digest(b"abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_is_replaced_and_no_partial_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    replace_atomically(path, "1")
    replace_atomically(path, "2")
    assert path.read_text() == "2\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(ConfigError, match=r"Cannot write .*folder/a\.json: (File exists|Not a directory)\."):
        replace_atomically(tmp_path / "folder" / "a.json", "1")


def test_a_file_is_not_replaced_through_a_link(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / f".a.json.{os.getpid()}").symlink_to(mine)
    (tmp_path / "a.json").symlink_to(mine)
    replace_atomically(tmp_path / "a.json", "1")
    assert mine.read_text() == "mine"
    assert not (tmp_path / "a.json").is_symlink()


def test_only_regular_files_of_the_folder_itself_are_shareable(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for name in ("a", "sub/b"):
        (folder / name).write_text("x")
    assert list(shareable_files(folder, "a", "missing", "sub")) == [folder / "a", folder / "sub" / "b"]
    (tmp_path / "link").symlink_to(folder)
    for parts in ((folder, ".."), (folder, "sub/b"), (folder, ""), (tmp_path, "link"), (tmp_path / "link", "a")):
        with pytest.raises(ConfigError, match="not shared"):
            list(shareable_files(*parts))
