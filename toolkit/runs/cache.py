"""Files in the output folder's cache: JSON lines that end with their digest, since what they say is trained towards."""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError
from toolkit.core.files import write_text
from toolkit.core.links import open_regular


def cache_file(folder: Path, name: str, key: object) -> Path:
    """The file `name`-HASH.jsonl; `key`: everything that its content depends on, as JSON has it."""
    text = json.dumps(key, ensure_ascii=False)
    return folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:32]}.jsonl"


def read_lines(path: Path) -> list[dict[str, Any]] | None:
    """What `write_lines` wrote; None if the file is missing, incomplete or changed."""
    try:
        with os.fdopen(open_regular(path, os.O_RDONLY), encoding="utf-8") as file:
            texts = [f"{line}\n" for line in file.read().split("\n")[:-1]]
        if json.loads(texts.pop()) != _end(texts):
            return None
        return [json.loads(text) for text in texts]
    except (OSError, ConfigError, ValueError, IndexError, RecursionError):
        return None


def write_lines(path: Path, values: Sequence[dict[str, Any]]) -> None:
    """Writes in one step; without a cache the same is only made again, so errors are ignored."""
    texts = [json.dumps(value, ensure_ascii=False) + "\n" for value in values]
    text = "".join([*texts, json.dumps(_end(texts)) + "\n"])
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)


def _end(texts: Sequence[str]) -> dict[str, object]:
    """The last line: a changed answer would be trained towards unnoticed."""
    return {"end": len(texts), "sha256": hashlib.sha256("".join(texts).encode()).hexdigest()}
