"""Finds a base model on this disk and refuses what could not be trained on. Reads headers only: fast and offline."""

import json
import os
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.core import environment
from toolkit.core.errors import ConfigError, ModelError
from toolkit.core.files import data_folder
from toolkit.model.lock import Lock, known_locks, lock_sha256, read_lock
from toolkit.model.qwen2 import ARCHITECTURE

DEFAULT_MODEL = "qwen2.5-7b-instruct"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
SIZES = (
    "hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "vocab_size",
)  # fmt: skip
LAYER_TENSOR = re.compile(r"model\.layers\.(\d+)\.(.+)")
EMBEDDING = "model.embed_tokens.weight"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass(frozen=True, kw_only=True)
class BaseModel:
    """A base model's folder, with its lock where one of the shipped locks speaks of it."""

    name: str
    path: Path
    config: Mapping[str, Any]  # config.json
    revision: str | None = None
    lock_sha256: str | None = None
    repository: str | None = None
    weight_bytes: int
    in_4bit: bool = False  # loaded so (see toolkit.model.four_bits); the files stay as they are

    @property
    def fingerprint(self) -> str:
        """The lock where there is one; else the files' names, sizes and times: a cheap stand-in for their content."""
        loaded = " in 4 bits" if self.in_4bit else ""
        if self.lock_sha256 is not None:
            return self.lock_sha256 + loaded
        files = sorted(self.path.glob("*.safetensors")) + [self.path / name for name in TOKENIZER_FILES]
        return " ".join(f"{file}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in files) + loaded

    @property
    def title(self) -> str:
        """As reports name it."""
        return f"{self.name} in 4 bits" if self.in_4bit else self.name

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "path": str(self.path),
            "repository": self.repository,
            "revision": self.revision,
            "lock_sha256": self.lock_sha256,
            "load_in_4bit": self.in_4bit,
        }


def find_base_model(name: str | None = None) -> BaseModel:
    """By folder, by a lock's name, or the default (TOOLKIT_MODEL, else Qwen2.5-7B-Instruct).

    Raises ConfigError for a name nobody knows and ModelError for a folder that cannot be used.
    """
    wanted = name or environment.base_model() or DEFAULT_MODEL
    locks = {known: (path, read_lock(path)) for known, path in known_locks().items()}
    if _is_folder(Path(wanted)):
        return _opened(Path(wanted), locks)
    if wanted not in locks:
        raise ConfigError(
            f"No base model {wanted!r}: neither a folder nor a known name.",
            next=f"Known: {', '.join(sorted(locks))}; or name a folder that holds config.json.",
        )
    places = _places(wanted, locks[wanted][1])
    for place in places:
        if _is_folder(place):
            return _opened(place, locks)
    raise ModelError(
        f"The base model {wanted} is not on this disk (looked in {', '.join(map(str, places))}).",
        next=f'Run "toolkit download {wanted}", or name another with --model (tiny-qwen2 is shipped).',
    )


def find_recorded_base(recorded: Mapping[str, Any]) -> BaseModel:
    """The base model of a run.json: where it was, else by its name, since a host and its container differ in paths."""
    base = find_base_model(recorded["path"] if _is_folder(Path(recorded["path"])) else recorded["name"])
    return replace(base, name=str(recorded["name"]), in_4bit=bool(recorded.get("load_in_4bit")))


def require_sizes(base: BaseModel) -> None:
    """Planning a training needs them. Raises ModelError."""
    sizes = {name: base.config.get(name) for name in SIZES}
    wrong = [name for name, size in sizes.items() if not isinstance(size, int) or size < 1]
    if wrong:
        raise ModelError(
            f"{base.path / 'config.json'} does not tell {', '.join(wrong)}.", next="Download the model again."
        )


def _is_folder(path: Path) -> bool:
    """False where it may not be looked for, as below another's /root; Path.is_dir raises there."""
    return os.path.isdir(path)  # noqa: PTH112


def _places(name: str, lock: Lock) -> list[Path]:
    folder = lock.folder or name
    return [Path(folder), Path("models") / folder, Path("/root") / folder, data_folder() / name]


def _opened(named: Path, locks: Mapping[str, tuple[Path, Lock]]) -> BaseModel:
    """`named` may be a link: people know the model by the link's name."""
    folder, name = named.resolve(), os.path.basename(os.path.abspath(named))  # noqa: PTH100, PTH119  # links stay
    config = _json(folder, "config.json")
    if (kind := config.get("model_type")) != ARCHITECTURE:
        raise ModelError(
            f"{folder} is a {kind or 'nameless'} model (config.json: model_type).",
            next="This toolkit trains Qwen2 and Qwen2.5 models; name one of those.",
        )
    _refuse_foreign_code(folder, config)
    for file in TOKENIZER_FILES:
        _json(folder, file)
    weight_bytes, tensors = 0, set[str]()
    for path in _shards(folder):
        size, names = _checked_header(path)
        weight_bytes, tensors = weight_bytes + size, tensors | names
    _require_whole_layers(folder, tensors, config.get("num_hidden_layers"))
    for known, (path, lock) in locks.items():
        if {name, folder.name} & {known, lock.folder} and _same_sizes(folder, lock):
            return BaseModel(
                name=known, path=folder, config=config, revision=lock.revision, lock_sha256=lock_sha256(path),
                repository=lock.repository or None, weight_bytes=weight_bytes,
            )  # fmt: skip
    return BaseModel(name=name, path=folder, config=config, weight_bytes=weight_bytes)


def _same_sizes(folder: Path, lock: Lock) -> bool:
    """A cheap look; `toolkit verify` reads every byte."""
    return all(
        (folder / file.name).is_file() and (folder / file.name).stat().st_size == file.size_bytes for file in lock.files
    )


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        value = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{folder} is not a whole model: {name} is missing.", next="Download it again, or name another folder."
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / name} cannot be read: {error}.", next="Download it again.") from None
    if not isinstance(value, dict):
        raise ModelError(f"{folder / name} is not a JSON object.", next="Download it again.")
    return value


def _refuse_foreign_code(folder: Path, config: Mapping[str, Any]) -> None:
    tokenizer = _json(folder, "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    if "auto_map" in config or "auto_map" in tokenizer:
        raise ModelError(
            f"{folder} asks to run Python code of its own (auto_map in its configuration).",
            next="Such code is never run here; use a model that transformers itself knows.",
        )


def _shards(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        weight_map = _json(folder, index.name).get("weight_map")
        names = sorted({str(name) for name in weight_map.values()}) if isinstance(weight_map, dict) else []
        missing = [name for name in names if not (folder / name).is_file()]
        if missing or not names:
            raise ModelError(f"{folder} lacks {', '.join(missing) or 'its shards'}.", next="Download it again.")
        return [folder / name for name in names]
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
    if pickled:
        raise ModelError(
            f"{folder} has its weights only as pickles ({', '.join(pickled[:3])}), which can run code when loaded.",
            next="Use a safetensors version of this model.",
        )
    raise ModelError(f"{folder} holds no safetensors weights.", next="Download it again, or name another folder.")


def _checked_header(path: Path) -> tuple[int, set[str]]:
    """The file's size, which its header agrees with (format: 8 bytes length, JSON, tensors), and its tensors' names."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length)) if length < min(size, 100_000_000) else None
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}  # type: ignore[union-attr]
        expected = 8 + length + max(entry["data_offsets"][1] for entry in tensors.values())
    except (struct.error, ValueError, AttributeError, LookupError, TypeError, OSError):
        raise ModelError(f"{path} is corrupt: its header cannot be read.", next="Download it again.") from None
    if size != expected:
        raise ModelError(f"{path} is truncated: {size} of {expected} bytes.", next="Download it again.")
    return size, set(tensors)


def _require_whole_layers(folder: Path, tensors: set[str], layers: object) -> None:
    """What no layer may lack is what another has; transformers would fill the gap with random numbers in silence."""
    named = {(int(match[1]), match[2]) for name in tensors if (match := LAYER_TENSOR.fullmatch(name))}
    parts = {part for _, part in named}
    count = layers if isinstance(layers, int) else 0
    gaps = [f"model.layers.{at}.{part}" for at in range(count) for part in sorted(parts) if (at, part) not in named]
    if parts and EMBEDDING not in tensors:
        gaps.insert(0, EMBEDDING)
    if gaps:
        more = f" and {len(gaps) - 1} more tensors" if len(gaps) > 1 else ""
        raise ModelError(f"{folder} is not whole: {gaps[0]}{more} missing.", next="Download it again.")
