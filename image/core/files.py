"""Writes files so that a reader, or a full disk, never meets half of one."""

import os
from pathlib import Path

from image.core.errors import ConfigError


def replace_atomically(path: Path, content: str) -> None:
    """Raises ConfigError where it cannot be written; what was there stays then."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(content + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}.", next="Make room, or mend its rights."
        ) from error
