"""A file as people bring it: read, or refused with what to do about it."""

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
from pathlib import Path

import pytest

from toolkit.core.errors import DataError
from toolkit.data.containers.parsing import read_records

ROW = '{"instruction": "a", "output": "b"}'
CHINESE = "question,answer\n北京在哪里？,北京在中国。\n什么是狗？,一种动物。\n"
JAPANESE = "question,answer\n日本の首都はどこですか？,東京です。\n犬とは何ですか？,動物の一種です。\n"
KOREAN = "question,answer\n한국의 수도는 어디입니까?,서울입니다. 큰 도시입니다.\n"


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("rows.json"))
    return file.getvalue()


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
        ("rows.jsonl.bz2", bz2.compress(ROW.encode()), "Unpack it"),
        ("rows.jsonl.xz", lzma.compress(ROW.encode()), "Unpack it"),
        ("rows.jsonl.zst", b"\x28\xb5\x2f\xfd\x04X\xe1\0\0", "Unpack it"),
        ("rows.7z", b"7z\xbc\xaf\x27\x1c\0\x04", "Unpack it"),
        ("rows.rar", b"Rar!\x1a\x07\x01\0", "Unpack it"),
        ("rows.tar", tar(), "Unpack it"),
        ("rows.tar.gz", gzip.compress(tar()), "Unpack it"),
        ("rows.json.gz", gzip.compress(gzip.compress(ROW.encode())), "Unpack it"),
        ("rows.db", b"SQLite format 3\0" + bytes(84), "Export a table as CSV"),
        ("data-00000-of-00001.arrow", b"\xff\xff\xff\xff\xc0\x01\0\0", "load_from_disk"),
        ("rows.feather", b"ARROW1\0\0" + bytes(100), "datasets library"),
        ("rows.pkl", pickle.dumps([{"a": 1}]), "JSONL"),
        ("rows.h5", b"\x89HDF\r\n\x1a\n", "JSONL"),
        ("mac.json", b"{\\rtf1\\ansi " + ROW.encode(), "plain text"),
        ("rows.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", "git lfs pull"),
        ("rows.csv", b"\n<!DOCTYPE html>\n<html><title>Sign in</title>", "Download the file again"),
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


@pytest.mark.parametrize("text", [CHINESE, "question,answer\n北京,上海\n"])
def test_chinese_in_gbk_is_recognised_however_little_there_is(text):
    with pytest.raises(DataError, match="looks like GBK") as caught:
        read_records(Path("rows.csv"), text.encode("gbk"))
    assert "iconv -f GBK " in caught.value.next


@pytest.mark.parametrize(("text", "encoding"), [(JAPANESE, "EUC-JP"), (KOREAN, "EUC-KR")])
def test_japanese_and_korean_are_never_converted_as_chinese(text, encoding):
    with pytest.raises(DataError, match=f"looks like {encoding}") as caught:
        read_records(Path("rows.csv"), text.encode(encoding))
    assert f"iconv -f {encoding} " in caught.value.next


@pytest.mark.parametrize("encoding", ["shift_jis", "big5", "cp1251", "cp1252"])
def test_another_encoding_is_refused_without_a_guess(encoding):
    text = {"shift_jis": JAPANESE, "big5": "question,answer\n台灣,台北\n", "cp1251": "q,a\nГде Россия?,Там\n"}
    with pytest.raises(DataError) as caught:
        read_records(Path("rows.csv"), text.get(encoding, "q,a\nl\u2019\xe9t\xe9,oui\n").encode(encoding))
    assert caught.value.next == "Save it as UTF-8."


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_recognised_and_other_bytes_are_not_taken_for_it(encoding):
    with pytest.raises(DataError, match="looks like UTF-16"):
        read_records(Path("rows.csv"), "question,answer\r\na,b\r\n".encode(encoding))
    with pytest.raises(DataError, match="NUL byte"):
        read_records(Path("rows.bin"), bytes([1, 0, 2, 0, 3, 0]) * 9)
