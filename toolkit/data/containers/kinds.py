"""Recognises what is neither text in UTF-8 nor Parquet: archives, other programs' files, other encodings. Pure."""

import re
import shlex
from pathlib import Path

from toolkit.core.errors import DataError
from toolkit.data.records import ACCEPTED_FILES

ZIP, OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
EXCEL_PART, EXCEL_SUFFIXES = b"xl/workbook", (".xlsx", ".xlsm")
AS_CSV = 'In Excel, save the sheet as "CSV UTF-8".'
UNPACK = "Unpack it, and name the file in it."
WITH_DATASETS = "Write it with the datasets library: load_from_disk(FOLDER).to_json(FILE)."
KINDS = (  # the first bytes, what a file with them is, what to do with it
    (b"%PDF", "a PDF", ACCEPTED_FILES),
    (b"BZh", "a bzip2 archive", UNPACK),
    (b"\xfd7zXZ\0", "an xz archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"\x1f\x8b", "a gzip archive within another", UNPACK),
    (b"SQLite format 3\0", "a SQLite database", "Export a table as CSV."),
    (b"ARROW1", "an Arrow file", WITH_DATASETS),
    (b"\xff\xff\xff\xff", "an Arrow file", WITH_DATASETS),
    (b"\x89HDF", "an HDF5 file", ACCEPTED_FILES),
    *((bytes((0x80, protocol)), "a pickle, which is never loaded, since it can run code", ACCEPTED_FILES)
      for protocol in (2, 3, 4, 5)),
    (b"{\\rtf", "formatted text (RTF), as a word processor saves it", "Save it as plain text in UTF-8."),
    (b"version https://git-lfs.github.com/spec/", "a pointer of Git LFS in place of the file",
     "Fetch the file itself: git lfs pull."),
)  # fmt: skip
TAR, TAR_AT = b"ustar", 257
WEB_PAGE = re.compile(rb"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
WIDE_BOMS = (
    (b"\xff\xfe\x00\x00", "UTF-32"), (b"\x00\x00\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"),
)  # fmt: skip
HEAD_BYTES = 4096
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
# Of the characters beyond ASCII: what a text in an encoding has, and one that is misread has not.
GB2312_SHARE = 0.9  # Chinese prose is in GB2312
KANA_SHARE, HANGUL_SHARE = 0.2, 0.9
FEWEST_LETTERS = 10  # fewer may be Hangul by chance: half of the commonest Chinese characters are, as EUC-KR
KANA, HANGUL = re.compile(r"[\u3041-\u30fa]"), re.compile(r"[\uac00-\ud7a3]")

WESTERN = frozenset("ÄÖÜäöüßÀÂÇÈÉÊËàâçèéêëîïôùûÑñÁÍÓÚáíóúãõÅÆØåæø„“”‘’‚–—…€£«»°§·¿¡\u00a0")
WESTERN_SHARE = 0.25  # of the letters; in a Cyrillic or Greek encoding nearly all are beyond ASCII


def reject_other_kinds(path: Path, data: bytes) -> None:
    """Raises DataError for a file that is passed by mistake, recognised by its bytes."""
    if data.startswith(OLD_EXCEL) or (data.startswith(ZIP) and (EXCEL_PART in data or path.suffix in EXCEL_SUFFIXES)):
        raise DataError(f"{path} looks like an Excel workbook, not a text file.", next=AS_CSV)
    if data.startswith(ZIP):
        raise DataError(f"{path} looks like a zip archive or an Excel workbook, not a text file.",
                        next=f"Unpack it. {AS_CSV}")  # fmt: skip
    if data.startswith(TAR, TAR_AT):
        raise DataError(f"{path} looks like a tar archive, not a text file.", next=UNPACK)
    if WEB_PAGE.match(data):
        raise DataError(f"{path} is a web page, such as one that asks for a login, not the file itself.",
                        next="Download the file again, by the link to its raw content.")  # fmt: skip
    for magic, what, remedy in KINDS:
        if data.startswith(magic):
            raise DataError(f"{path} looks like {what}, not a text file.", next=remedy)


def reject_wide(path: Path, data: bytes) -> None:
    """Raises DataError for UTF-16 and UTF-32, and for any other file with a NUL byte."""
    for bom, encoding in WIDE_BOMS:
        if data.startswith(bom):
            raise DataError(f"{path} is {encoding} (it starts with that byte order mark), not UTF-8.",
                            next=_convert(path, encoding))  # fmt: skip
    at = data.find(b"\0")
    if at < 0:
        return
    if encoding := _unmarked_utf16(data[:HEAD_BYTES]):
        raise DataError(f"{path} looks like UTF-16 without a byte order mark, not UTF-8.",
                        next=_convert(path, encoding))  # fmt: skip
    raise DataError(f"{path} contains a NUL byte ({_place(data, at)}): a damaged or binary file.",
                    next="Restore it from its source, or delete that byte.")  # fmt: skip


def _unmarked_utf16(head: bytes) -> str:
    """The UTF-16 that this beginning of a file is in, "" if it is not text in either."""
    if head.count(0) * 4 <= len(head):
        return ""
    encoding = "UTF-16LE" if head[1::2].count(0) > head[::2].count(0) else "UTF-16BE"
    text = head[: len(head) // 2 * 2].decode(encoding, errors="replace")
    return "" if CONTROL.search(text) else encoding


def not_utf8(path: Path, data: bytes, error: UnicodeDecodeError) -> DataError:
    """The error for a file that is not UTF-8; `error`: why it is not."""
    # The error counts positions after a byte order mark; its object is the decoded bytes.
    if error.reason == "unexpected end of data":
        return DataError(f"{path} ends in the middle of a character: it is truncated.",
                         next="Copy it again from its source.")  # fmt: skip
    encoding = _east_asian_encoding(data) or _western_encoding(data)
    if encoding:
        return DataError(f"{path} is not UTF-8; it looks like {encoding}.", next=_convert(path, encoding))
    place = _place(error.object, error.start)
    return DataError(f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} ({place}).",
                     next="Save it as UTF-8.")  # fmt: skip


def _east_asian_encoding(data: bytes) -> str | None:
    """The encoding in which these bytes are prose. EUC-JP and EUC-KR share nearly all of their bytes with GBK."""
    for encoding, letters, share in (("EUC-JP", KANA, KANA_SHARE), ("EUC-KR", HANGUL, HANGUL_SHARE)):
        beyond_ascii = _beyond_ascii(data, encoding)
        found = letters.findall(beyond_ascii)
        if len(found) >= max(FEWEST_LETTERS, share * sum(map(str.isalpha, beyond_ascii))):
            return encoding
    for encoding in ("GBK", "GB18030"):
        beyond_ascii = _beyond_ascii(data, encoding)
        known = beyond_ascii.encode("gb2312", errors="ignore")
        if beyond_ascii and len(known) / 2 >= GB2312_SHARE * len(beyond_ascii):
            return encoding
    return None


def _western_encoding(data: bytes) -> str | None:
    """Windows-1252, in which Excel saves in Western Europe, if the few characters beyond ASCII are its own."""
    beyond_ascii = _beyond_ascii(data, "cp1252")
    few = len(beyond_ascii) <= WESTERN_SHARE * sum(map(str.isalpha, data.decode("cp1252", errors="ignore")))
    return "WINDOWS-1252" if beyond_ascii and few and set(beyond_ascii) <= WESTERN else None


def _beyond_ascii(data: bytes, encoding: str) -> str:
    """The characters beyond ASCII of the text in this encoding; none if it is not in it."""
    try:
        return "".join(character for character in data.decode(encoding) if character > "\x7f")
    except UnicodeDecodeError:
        return ""


def _convert(path: Path, encoding: str) -> str:
    target = path.with_name(f"{path.stem}.utf8{path.suffix}")
    return f"Convert it: iconv -f {encoding} -t UTF-8 {shlex.quote(str(path))} > {shlex.quote(str(target))}"


def _place(data: bytes, at: int) -> str:
    lines_before = data.count(b"\n", 0, at)
    column = at - data.rfind(b"\n", 0, at)
    return f"line {lines_before + 1}, byte {column}"
