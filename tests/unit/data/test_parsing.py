"""A file as people bring it: read, or refused with what to do about it."""

from pathlib import Path

import pytest

from toolkit.core.errors import DataError
from toolkit.data.parsing import read_records

ROW = '{"instruction": "a", "output": "b"}'


@pytest.mark.parametrize(
    ("name", "content", "remedy"),
    [
        ("list.json", f"[{ROW},]", "comma"),
        ("object.json", '[{"instruction": "a", "output": "b",}]', "comma"),
        ("python.json", "[{'instruction': 'a', 'output': 'b'}]", "straight double quotes"),
        ("word.json", "[{\u201cinstruction\u201d: \u201ca\u201d}]", "straight double quotes"),
        ("head.json", f"// my rows\n[{ROW}]", "Remove the comment"),
        ("inner.json", f"[\n// first\n{ROW}]", "Remove the comment"),
        ("two.json", f"[{ROW}]\n[{ROW}]", "Put one object on each line"),
        ("excel.csv", "instruction;output\na;b\n", "Separate the columns with commas"),
        ("tabs.tsv", "instruction\toutput\na\tb\n", "Separate the columns with commas"),
        ("rows' copy.json.gz", b"\x1f\x8b\x08\x00rest", "gunzip --keep 'rows'\"'\"' copy.json.gz'"),
    ],
)
def test_the_files_that_people_bring_are_refused_with_what_to_do(name: str, content: str | bytes, remedy: str):
    with pytest.raises(DataError) as caught:
        read_records(Path(name), content if isinstance(content, bytes) else content.encode())
    assert remedy in caught.value.next


@pytest.mark.parametrize(
    ("name", "content", "container"),
    [
        ("bom.json", f"\ufeff[{ROW}]", "JSON"),
        ("crlf.json", f"[\r\n{ROW}\r\n]\r\n", "JSON"),
        ("lines.json", f"{ROW}\n{ROW}\n", "JSONL"),
        ("list.jsonl", f"[\n{ROW},\n{ROW}\n]", "JSON"),
        ("bom crlf.jsonl", f"\ufeff{ROW}\r\n\r\n{ROW}\r\n", "JSONL"),
        ("bom.csv", "\ufeffinstruction,output\r\na,b\r\n", "CSV"),
    ],
)
def test_harmless_differences_are_accepted(name: str, content: str, container: str):
    records = read_records(Path(name), content.encode())
    assert records.container == container
    assert all(record == {"instruction": "a", "output": "b"} for _, record in records.items)
