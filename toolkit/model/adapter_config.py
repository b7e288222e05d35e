"""An adapter's configuration is others' input: its patterns are tried in the limited child process before peft runs."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from toolkit.core.documents import read_json
from toolkit.core.errors import ModelError
from toolkit.core.limited_process import RefusedError, limited_process

FILE = "adapter_config.json"
MAX_BYTES = 1_000_000
MAX_RANK = 65_536
PATTERNS_S = 5.0
PLAIN_NAME = re.compile(r"[\w.\-]{1,200}")
# What peft takes as a regular expression, or puts into one.
PATTERN_FIELDS = (
    "target_modules", "exclude_modules", "modules_to_save", "layers_pattern", "rank_pattern", "alpha_pattern",
    "target_parameters", "trainable_token_indices",
)  # fmt: skip


def require_bounded_adapter(adapter: Path, module_names: Iterable[str]) -> None:
    """Raises ModelError unless peft can load the adapter in bounded time and memory.

    `module_names`: of the base model, which peft matches the adapter's patterns with.
    """
    config = _config(adapter)
    ranks = [config.get("r"), *_values(config.get("rank_pattern"))]
    if any(not isinstance(rank, int) or not 0 <= rank <= MAX_RANK for rank in ranks if rank is not None):
        raise _error(adapter, f"a rank is not a whole number up to {MAX_RANK}")
    if config.get("layer_replication"):
        raise _error(adapter, "it repeats layers (layer_replication)")
    patterns = [text for name in PATTERN_FIELDS for text in _texts(config.get(name)) if not PLAIN_NAME.fullmatch(text)]
    if not patterns:
        return
    try:
        limited_process().ask("match", within_s=PATTERNS_S, patterns=patterns, names=list(module_names))
    except RefusedError as error:
        raise _error(adapter, f"its patterns of layer names cannot be used: {str(error).rstrip('.')}") from None


def _config(adapter: Path) -> dict[str, Any]:
    try:
        config = read_json(adapter / FILE, max_bytes=MAX_BYTES)
    except (OSError, ValueError) as error:
        raise _error(adapter, f"it cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise _error(adapter, "it is not a JSON object")
    return config


def _values(value: object) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else []


def _texts(value: object) -> list[str]:
    """The patterns in a field: a text, those of a list, or the keys of an object."""
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | Mapping) else []


def _error(adapter: Path, why: str) -> ModelError:
    return ModelError(f"{adapter / FILE} is refused: {why}.", next="Use another copy of the adapter.")
