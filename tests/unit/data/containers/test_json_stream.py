"""Large JSONL files are read as small ones are: the same rows, faults, digest and errors."""

import json
from pathlib import Path

import pytest

from toolkit.core.errors import DataError
from toolkit.data.containers import json_stream
from toolkit.data.dataset import read_dataset

ROW = json.dumps({"instruction": "你是谁？ \u2028", "output": "小明。"}, ensure_ascii=False)
FILES = {
    "plain": f"{ROW}\n{ROW}\n",
    "without the last end": f"{ROW}\n{ROW}",
    "of Windows, with a mark": f"\ufeff{ROW}\r\n\r\n{ROW}\r\n",
    "with faults": f'{ROW}\n{ROW}\n\n{{"instruction": "a"\n[1]\n{{"other": 1}}\n{{"instruction": "a", "output": ""}}\n',
    "with unused keys": f'{ROW}\n{ROW[:-1]}, "score": 3}}\n',
    "known rows last": f'{{"x": 1}}\n{{"x": 2}}\n{ROW}\n',
    "mixed": f'{ROW}\n{{"messages": []}}\n',
    "unknown": '{"x": 1}\n{"x": 2}\n',
    "a list": f"[{ROW},\n{ROW}]",
    "printed over lines": '{\n"instruction": "a",\n"output": "b"}\n',
    "one row": ROW,
    "not UTF-8": f"{ROW}\n{ROW}\n".encode().replace("小".encode(), "小".encode("gbk")),
    "with NUL": f"{ROW}\n{ROW}\n\0",
}


def found_in(path: Path) -> object:
    try:
        return read_dataset(path)
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("name", FILES)
def test_a_large_file_is_read_as_a_small_one(name, tmp_path, monkeypatch):
    path, content = tmp_path / "rows.jsonl", FILES[name]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    expected = found_in(path)
    monkeypatch.setattr(json_stream, "LEAST_BYTES", 1)

    assert found_in(path) == expected


@pytest.mark.parametrize(("name", "streamed"), [("plain", True), ("with faults", True), ("a list", False)])
def test_only_files_with_an_object_a_line_are_read_line_by_line(name, streamed, tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "LEAST_BYTES", 1)
    path = tmp_path / "rows.jsonl"
    path.write_text(FILES[name], encoding="utf-8")

    assert (json_stream.json_lines(path) is not None) == streamed
