"""Hashes of large files, remembered by path, size, time of change and inode: an unchanged file is read once.

In a process, and for files that were compared with a lock also on the disk.
"""

import contextlib
import os
from pathlib import Path

from toolkit.core import environment
from toolkit.core.documents import read_json
from toolkit.core.files import file_sha256, write_json

Stat = tuple[int, int, int, int]  # size, mtime in ns, ctime in ns, inode
FILE = "verified.json"
MOST = 2000  # files that the disk's cache remembers

_seen: dict[Path, tuple[Stat, str]] = {}


def sha256_once(path: Path) -> str:
    """The file's sha256, read only if it changed since it was last read in this process. Raises OSError."""
    path = path.resolve()
    stat = _stat(path)
    if (known := _seen.get(path)) is None or known[0] != stat:
        known = _seen[path] = stat, file_sha256(path)
    return known[1]


def remember_sha256(path: Path, sha256: str) -> None:
    """Keeps what was just read, for later processes too, where a cache can be written."""
    path = path.resolve()
    with contextlib.suppress(OSError):
        _seen[path] = _stat(path), sha256
        stored = {**_stored(), str(path): [list(_stat(path)), sha256]}
        cache = _cache()
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_json(cache, dict(list(stored.items())[-MOST:]))


def known_sha256(path: Path) -> str | None:
    """The sha256 that was read of this file as it is now; None if it was not, or has changed. Reads no content."""
    path = path.resolve()
    try:
        stat = _stat(path)
    except OSError:
        return None
    if (known := _seen.get(path)) is not None and known[0] == stat:
        return known[1]
    match _stored().get(str(path)):
        case [list(then), str(sha256)] if tuple(then) == stat:
            return sha256
    return None


def _stat(path: Path) -> Stat:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _cache() -> Path:
    folder = environment.cache_folder()
    return Path(folder or os.path.expanduser("~/.cache")) / "toolkit" / FILE  # noqa: PTH111  # Path's raises without a home


def _stored() -> dict[str, object]:
    try:
        value = read_json(_cache())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
