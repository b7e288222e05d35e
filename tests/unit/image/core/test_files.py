"""Digests, and files that are replaced whole or not at all."""

from pathlib import Path

import pytest

from image.core.errors import ConfigError
from image.core.files import content_digest, file_digest, replace_atomically


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
