"""A run's records for other machines: without paths of this one, the base model by hub id and revision."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from toolkit.compare.sides import Side
from toolkit.core.documents import parse_json, read_json
from toolkit.core.errors import ConfigError
from toolkit.model.base_model import BaseModel
from toolkit.model.lock import known_locks, read_lock
from toolkit.runs.layout import ADAPTER_CONFIG, TRAINED_FILE

WITHHELD = "withheld: it may name files of the machine that trained"
PATH_KEYS = frozenset({"path", "adapter", "source", "keep_data", "name"})
LOCAL_PATH = re.compile(r"(~|\.{1,2})?/")
SCRIPTS = {"zh": "\u4e00-\u9fff", "ja": "\u3040-\u30ff", "ko": "\uac00-\ud7af"}


def base_name(base: BaseModel) -> str:
    """Its hub id; where it has none, its name in this toolkit."""
    return base.repository or base.name


def licence(base: BaseModel) -> str | None:
    """The SPDX name in the base model's lock; None where it has no lock."""
    if base.lock_sha256 is None:
        return None
    return read_lock(known_locks()[base.name]).licence


def portable_config(side: Side) -> dict[str, Any]:
    """adapter_config.json with the base model by hub id and revision. Raises ConfigError where it cannot be read."""
    assert side.adapter is not None
    path = side.adapter / ADAPTER_CONFIG
    try:
        config = dict(read_json(path))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.", next="Train it again.") from None
    revision = side.model.revision if side.model.repository else None
    return config | {"base_model_name_or_path": base_name(side.model), "revision": revision, "inference_mode": True}


def redacted(value: Any, key: str = "") -> Any:
    """A record with every path of this machine cut to its last part; prompts and answers stay as they are.

    `key`: the field that holds `value`.
    """
    if isinstance(value, Mapping):
        return {name: redacted(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(inner, key) for inner in value]
    if not isinstance(value, str):
        return value
    if key == "command":
        return _redacted_command(value)
    if key == "error":
        return WITHHELD
    return _last(value) if key in PATH_KEYS and LOCAL_PATH.match(value) else value


def local_paths(value: Any) -> set[str]:
    """Every path of this machine in a record; `redact_paths` removes them from texts rendered from it."""
    return {str(path) for path in _paths(value)}


def redact_paths(text: str, paths: set[str]) -> str:
    """`text` with each of `paths` cut to its last part; the longest first, since one may be a prefix of another."""
    for path in sorted(paths, key=len, reverse=True):
        text = text.replace(path, _last(path))
    return text


def languages(run_folder: Path) -> list[str]:
    """ISO 639-1 codes of the trained prompts, the most frequent first; empty where there are no rows."""
    counts: dict[str, int] = {}
    for prompt in _prompts(run_folder / TRAINED_FILE):
        found = next((code for code in ("ja", "ko", "zh") if re.search(f"[{SCRIPTS[code]}]", prompt)), None)
        code = found or ("en" if re.search("[A-Za-z]", prompt) else None)
        if code is not None:
            counts[code] = counts.get(code, 0) + 1
    return sorted(counts, key=lambda code: (-counts[code], code))


def _prompts(rows: Path) -> Iterator[str]:
    try:
        lines = rows.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            messages = parse_json(line)["messages"]
            yield from (str(message["content"]) for message in messages if message["role"] == "user")
        except (ValueError, KeyError, TypeError):
            continue


def _paths(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _paths(inner, str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _paths(inner, key)
    elif isinstance(value, str) and key in PATH_KEYS and LOCAL_PATH.match(value):
        yield value


def _redacted_command(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        return WITHHELD
    return shlex.join(_redacted_word(word) for word in words)


def _redacted_word(word: str) -> str:
    option, equals, value = word.partition("=")
    if equals and option.startswith("--"):
        return f"{option}={_redacted_word(value)}"
    return _last(word) if LOCAL_PATH.match(word) else word


def _last(path: str) -> str:
    return PurePosixPath(path).name or "/"
