"""Paths of the shipped data, atomic writes, hashes. Creates nothing unasked."""

import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolkit.core import environment

BLOCK_BYTES = 8 * 1024 * 1024


def data_folder() -> Path:
    """The shipped `data/`: beside the package, or where TOOLKIT_DATA says."""
    return Path(environment.data_folder() or Path(__file__).parents[2] / "data")


def locks_folder() -> Path:
    return data_folder() / "locks"


def file_sha256(path: Path, advance: Callable[[int], None] | None = None) -> str:
    """The file's sha256; `advance` hears how many bytes are done after each block."""
    digest, done = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
            done += len(block)
            if advance is not None:
                advance(done)
    return digest.hexdigest()


def now() -> str:
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")


def write_json(path: Path, value: dict[str, Any]) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replaces `path` in one step: a reader sees the old or the new content, whole."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
