"""A file as people bring it: read, or refused with what to do about it."""

import gzip
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
        ("book.xlsx", b"PK\x03\x04 xl/workbook.xml", "CSV UTF-8"),
        ("renamed.csv", b"PK\x03\x04 xl/workbook.xml", "CSV UTF-8"),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1", "CSV UTF-8"),
        ("rows.zip", b"PK\x03\x04 rows.json", "Unpack it"),
        ("paper.pdf", b"%PDF-1.7", "JSONL"),
        ("rows.json.gz", b"\x1f\x8b\x08\x00rest", "Copy it again"),
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


def test_compressed_rows_are_read_as_what_they_are():
    records = read_records(Path("rows.csv.gz"), gzip.compress(b"instruction,output\na,b\n"))

    assert (records.container, records.items) == ("CSV", ((1, {"instruction": "a", "output": "b"}),))


def test_a_cut_compressed_file_is_reported():
    with pytest.raises(DataError, match="damaged gzip-compressed data"):
        read_records(Path("rows.jsonl.gz"), gzip.compress(ROW.encode() * 100)[:-9])
