"""A small model's folder and its lock."""

import hashlib
from pathlib import Path

from toolkit.model.lock import Lock, LockedFile

CONTENT = {"config.json": b"{}", "model.safetensors": b"weights", "parts/merges.txt": b"a b"}


def locked_file(name: str, content: bytes) -> LockedFile:
    return LockedFile(name=name, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


LOCK = Lock(
    name="small", folder="Small", repository="maker/small", revision="a" * 40, licence="CC0-1.0",
    files=tuple(locked_file(name, content) for name, content in CONTENT.items()),
)  # fmt: skip


def make_locked_folder(folder: Path) -> Path:
    """A folder with exactly the locked files."""
    for name, content in CONTENT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
