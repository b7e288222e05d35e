"""Reads JSON that others wrote: files of a bounded size and nesting, and values that fit anywhere.

Every fault is a ValueError that says what is wrong and, where it is known, in which line.
"""

import json
import math
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from toolkit.core.links import open_regular

MAX_BYTES = 64_000_000
MAX_DEPTH = 100
MAX_INTEGER = 10**38  # tokenizers write 10**30 for "no limit"; beyond 10**308 a number has no float


def read_json(path: Path, *, max_bytes: int = MAX_BYTES) -> Any:
    """The value in a JSON file. Raises OSError and ValueError."""
    return parse_json(read_text(path, max_bytes=max_bytes))


def read_text(path: Path, *, max_bytes: int = MAX_BYTES) -> str:
    """A UTF-8 file's text, without a byte order mark. Raises OSError and ValueError."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # opening a pipe would wait for a writer
        return _decoded(file, max_bytes)


def read_regular_json(path: Path) -> Any:
    """As `read_json`, of a file that must not be a link. Raises OSError, ValueError, and ConfigError for a link."""
    with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
        return parse_json(_decoded(file, MAX_BYTES))


def _decoded(file: BinaryIO, max_bytes: int) -> str:
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        raise ValueError("it is not a regular file")
    data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"it has more than {max_bytes / 1e6:.0f} MB")
    return data.decode("utf-8-sig")


def parse_json(text: str | bytes, *, unique_keys: bool = False) -> Any:
    """The value of a JSON text. Raises ValueError; with `unique_keys` also where an object has a key twice."""
    try:
        value = json.loads(text, object_pairs_hook=_unique if unique_keys else None)
    except RecursionError:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep") from None
    require_plain(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return value


def require_plain(value: Any) -> None:
    """Raises ValueError for what later steps cannot take: deep nesting, endless integers, half characters."""
    level = [value]
    for _ in range(MAX_DEPTH):
        if not level:
            return
        level = [inner for part in level for inner in _checked(part)]
    raise ValueError(f"it is nested more than {MAX_DEPTH} deep")


def _checked(part: Any) -> list[Any]:
    if isinstance(part, dict):
        return [*part, *part.values()]
    if isinstance(part, (list, tuple, set)):
        return list(part)
    if isinstance(part, str) and not part.isascii() and any("\ud800" <= sign <= "\udfff" for sign in part):
        raise ValueError(f"{part[:50]!r} contains half a character (a lone surrogate)")
    if isinstance(part, int) and abs(part) >= MAX_INTEGER:
        raise ValueError(f"a whole number has {int(math.log10(abs(part))) + 1} digits")
    return []
