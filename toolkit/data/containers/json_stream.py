"""Large JSONL files, read line by line: neither the file nor its records are ever in memory as a whole."""

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from toolkit.data.containers.json_rows import as_conversation, json_line, value_of
from toolkit.data.records import MAX_BYTES, Record

LEAST_BYTES = 8_000_000  # smaller files are read at once, in every form that people write them
BLOCK_BYTES = 1 << 20
BOM = codecs.BOM_UTF8


@dataclass(frozen=True, kw_only=True)
class JsonLines:
    """The records of a file with one JSON value a line; `lines`: how many lines there are, blank ones included.

    `parts`: places in the file where a line begins, each with the number of lines before it, from the first line on.
    """

    path: Path
    sha256: str
    lines: int
    parts: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return self.lines

    def __iter__(self) -> Iterator[Record]:
        return chain.from_iterable(map(self.of_part, range(len(self.parts))))

    def lines_of(self, part: int) -> int:
        """How many lines there are in a part."""
        end = self.parts[part + 1][1] if part + 1 < len(self.parts) else self.lines
        return end - self.parts[part][1]

    def of_part(self, part: int) -> Iterator[Record]:
        """The records of a part."""
        start, before = self.parts[part]
        with self.path.open("rb") as file:
            file.seek(start)
            for number, line in enumerate(islice(file, self.lines_of(part)), start=before + 1):
                text = (line.removeprefix(BOM) if number == 1 else line).decode().removesuffix("\n")
                if text.strip():
                    yield number, as_conversation(json_line(text))


def json_lines(path: Path) -> JsonLines | None:
    """None for a file that is small, or in any other form, or that has a fault of its own: it has to be read at once.

    Raises OSError.
    """
    if not LEAST_BYTES <= path.stat().st_size <= MAX_BYTES or not _begins_as_lines(path):
        return None
    digest, decoder, lines, last = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")(), 0, b""
    parts, read = [(0, 0)], 0
    with path.open("rb") as file:
        try:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
                decoder.decode(block)
                lines += block.count(b"\n")
                if b"\0" in block:
                    return None
                read, last = read + len(block), block
                if (end := block.rfind(b"\n") + 1) and read - len(block) + end > parts[-1][0]:
                    parts.append((read - len(block) + end, lines))
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return None
    if parts[-1][0] == read:  # after the last line
        parts.pop()
    return JsonLines(
        path=path, sha256=digest.hexdigest(), lines=lines + (not last.endswith(b"\n")), parts=tuple(parts)
    )  # fmt: skip


def _begins_as_lines(path: Path) -> bool:
    """Whether the first two lines with a text are one object each, as in no other form of JSON."""
    if path.suffix.lower() in {".csv", ".tsv", ".gz"}:
        return False
    with path.open("rb") as file:
        found = [line for line in (file.readline(BLOCK_BYTES) for _ in range(3)) if line.strip()]
    try:
        values = [value_of(line.removeprefix(BOM).decode()) for line in found]
    except UnicodeDecodeError:
        return False
    return len(values) > 1 and all(isinstance(value, dict) for value in values)
