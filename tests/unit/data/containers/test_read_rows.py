"""Rows of a large file, which are read in parts: the same as of one part, with the same faults and errors."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.core.errors import DataError
from toolkit.core.events import Progress
from toolkit.data.containers import json_stream
from toolkit.data.containers.json_stream import JsonLines, json_lines
from toolkit.data.containers.read_rows import JSONL, ReadRows, read_rows

TALK = {"instruction": "c", "output": "d", "history": [["a", "b"]]}
ODD = (
    {"instruction": "q", "output": "", "number": 1}, {"foo": 1}, "no object", {"output": "a"}, 5,
    {"instruction": "q", "output": "a", "extra": "x"}, TALK, {"instruction": "q", "output": "a", "label": False},
)  # fmt: skip


def rows(count: int) -> list[Any]:
    return [{"instruction": f"Question {number} 你好?", "output": f"Answer {number}."} for number in range(count)]


@pytest.fixture(name="lines")
def _lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., JsonLines]:
    monkeypatch.setattr(json_stream, "LEAST_BYTES", 1)
    monkeypatch.setattr(json_stream, "BLOCK_BYTES", 700)
    monkeypatch.setattr("toolkit.data.containers.copies.own_cores", lambda: 3)

    def lines(values: list[Any], before: bytes = b"", after: bytes = b"\n") -> JsonLines:
        path = tmp_path / "rows.jsonl"
        texts = [json.dumps(one, ensure_ascii=False) if one != "" else "" for one in values]
        path.write_bytes(before + "\n".join(texts).encode() + after)
        found = json_lines(path)
        assert found is not None
        return found

    return lines


def as_values(read: ReadRows) -> tuple[Any, ...]:
    return read.format.name, [*read.store.rows], read.bad, list(read.unused.items()), read.notes


def in_one(lines: JsonLines) -> JsonLines:
    return replace(lines, parts=lines.parts[:1])


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\n\n  \n"])
@pytest.mark.parametrize("values", [
    rows(200), [*rows(60), *ODD, *rows(40), *ODD, *rows(60)], [*rows(3), *([""] * 3000), *rows(90)],
    [*rows(50), {"instruction": "long " * 1000, "output": "a"}, *rows(9), {"instruction": "b " * 1000, "output": "a"}],
])  # fmt: skip
def test_parts_are_read_as_one(lines, values: list[Any], before: bytes, after: bytes):
    found = lines(values, before, after)
    heard = list[Progress]()

    read = read_rows(found.path, found, JSONL, heard.append)

    assert len(found.parts) > 3
    assert as_values(read) == as_values(read_rows(found.path, in_one(found), JSONL, print))
    assert [number for number, _ in found] == [number for number, _ in in_one(found)]
    assert (heard[-1].done, heard[-1].total) == (len(found), len(found))


@pytest.mark.parametrize("values", [
    [*rows(60), {"query": "q", "response": "a"}, *rows(60)],
    [*rows(60), *({"query": "q", "response": "a"} for _ in range(60))],
    [{"foo": number} for number in range(200)],
])  # fmt: skip
def test_what_is_said_of_a_file_as_a_whole_is_the_same(lines, values: list[Any]):
    found = lines(values)
    with pytest.raises(DataError) as expected:
        read_rows(found.path, in_one(found), JSONL, print)

    with pytest.raises(DataError) as raised:
        read_rows(found.path, found, JSONL, lambda _: None)

    assert str(raised.value) == str(expected.value)


def test_a_part_without_any_known_key_is_read_as_the_others_are(lines):
    found = lines([*rows(40), *({"foo": "x" * 100} for _ in range(40)), *rows(40)])

    read = read_rows(found.path, found, JSONL, lambda _: None)

    assert as_values(read) == as_values(read_rows(found.path, in_one(found), JSONL, print))
    assert (len(read.store.rows), len(read.bad)) == (80, 40)
