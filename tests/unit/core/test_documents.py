"""JSON of others: bounded in size and depth, and each fault is named."""

import os
import re
from pathlib import Path

import pytest

from toolkit.core.documents import parse_json, read_json, read_regular_json
from toolkit.core.errors import ConfigError

FAULTY_JSON = {
    "nesting": ("[" * 5000 + "]" * 5000, "nested more than 100 deep"),
    "less nesting": ("[" * 200 + "]" * 200, "nested more than 100 deep"),
    "a huge number": (f"[1{'0' * 400}]", "a whole number has 401 digits"),
    "a number that no integer is read from": (f"[1{'0' * 5000}]", "limit"),
    "half a character": ('{"a": "\\ud800"}', "half a character"),
    "half a character in a key": ('{"\\ud800": 1}', "half a character"),
    "not JSON": ("{", "line 1"),
}


@pytest.mark.parametrize("fault", FAULTY_JSON)
def test_a_fault_of_json_is_named(fault: str):
    text, why = FAULTY_JSON[fault]
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_json(text)


def test_what_is_sound_is_read():
    assert parse_json('{"model_max_length": 1000000000000000019884624838656}')  # what tokenizers write
    assert parse_json(b"[1, 2.5, null]") == [1, 2.5, None]


def test_a_byte_order_mark_is_no_part_of_a_file_and_a_large_file_is_refused(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf[1]")

    assert read_json(path) == [1]
    with pytest.raises(ValueError, match="more than"):
        read_json(path, max_bytes=5)


def test_json_is_read_from_neither_a_link_nor_a_pipe_nor_a_folder(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("[1]")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "run.json")
    os.mkfifo(tmp_path / "pipe")

    assert read_regular_json(tmp_path / "run.json") == [1]
    assert read_json(tmp_path / "link") == [1], "a base model's files may be links into a cache"
    with pytest.raises(ConfigError, match="is a symbolic link"):
        read_regular_json(tmp_path / "link")
    for name in ("pipe", "folder"):
        with pytest.raises(OSError, match="not a regular file"):
            read_regular_json(tmp_path / name)
    with pytest.raises(ValueError, match="not a regular file"):
        read_json(tmp_path / "pipe")
