"""Digests of files, and writes that never leave half a file behind."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from image.core.errors import ConfigError, first_line


def content_digest(content: bytes) -> str:
    """An OCI digest: "sha256:" and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def file_digest(path: Path) -> str:
    """The OCI digest of a file's content. Raises OSError."""
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def replace_atomically(path: Path, content: str) -> None:
    """Writes `content` and a newline to `path`. Raises ConfigError on failure, and leaves an old file as it was."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(content + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise ConfigError(
            f"Cannot write {path}: {first_line(error)}.", next="Free some disk space, or fix the permissions."
        ) from error
