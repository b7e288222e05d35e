"""Files in the cache: believed only as they were written."""

from pathlib import Path

import pytest

from toolkit.runs.cache import cache_file, read_lines, write_lines

VALUES = [{"prompt": "你好\u2028", "tokens": [1, 2]}, {"prompt": "b"}]


def test_what_was_written_is_read(tmp_path: Path):
    path = tmp_path / ".cache" / "a.jsonl"
    write_lines(path, VALUES)

    assert read_lines(path) == VALUES


def test_no_values_are_a_cache_too(tmp_path: Path):
    write_lines(tmp_path / "a.jsonl", [])

    assert read_lines(tmp_path / "a.jsonl") == []


@pytest.mark.parametrize(
    "change", [lambda text: text.replace("b", "c"), lambda text: text[: len(text) // 2], lambda _: ""]
)
def test_what_was_changed_is_not_read(tmp_path: Path, change):
    path = tmp_path / "a.jsonl"
    write_lines(path, VALUES)
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    assert read_lines(path) is None


def test_a_disk_that_takes_no_file_fails_nothing(tmp_path: Path):
    (tmp_path / "file").write_text("")

    write_lines(tmp_path / "file" / "a.jsonl", VALUES)

    assert read_lines(tmp_path / "file" / "a.jsonl") is None


def test_the_name_depends_on_the_key(tmp_path: Path):
    assert cache_file(tmp_path, "keep", ["a", 1]) == cache_file(tmp_path, "keep", ["a", 1])
    assert cache_file(tmp_path, "keep", ["a", 1]) != cache_file(tmp_path, "keep", ["a", 2])
    assert cache_file(tmp_path, "keep", "a").name.startswith("keep-")
