"""Finds a base model on this disk and rejects one that cannot be trained. Reads headers only: fast and offline."""

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from toolkit.core import environment
from toolkit.core.documents import parse_json, read_json, read_text
from toolkit.core.errors import AbsentModelError, ConfigError, ModelError
from toolkit.core.files import file_sha256
from toolkit.core.suggestion import suggestion
from toolkit.core.text import short
from toolkit.model.families.family import default_names, family_of, require_trainable
from toolkit.model.families.sizes import SIZES
from toolkit.model.families.template_files import folder_takes_system, folder_thinks, require_renderable
from toolkit.model.families.tensors import require_all_layers, standard_sizes
from toolkit.model.hub.arrival import places_of, wait_for
from toolkit.model.lock import DEFAULT_MODEL, Lock, called, hub_advice, known_locks, near_lock, read_lock
from toolkit.model.verify import is_locked_content

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
# transformers imports code for these keys, from whichever configuration has them, and from this folder.
CODE_KEYS, CUSTOM_GENERATE = frozenset({"auto_map", "custom_generate"}), "custom_generate"
DATA_FILES = frozenset({"tokenizer.json", "vocab.json"})  # large, and read as data only
MAX_CONFIG_BYTES = 32_000_000  # the index of a model of 400 billion parameters has a tenth of that
LONGEST_NAME = 200  # characters of a file's name
MAX_DATA_BYTES = 256_000_000
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass(frozen=True, kw_only=True)
class BaseModel:
    """A base model's folder, with the fields of its lock where one is shipped."""

    name: str
    path: Path
    config: Mapping[str, Any]  # config.json
    revision: str | None = None
    lock_sha256: str | None = None
    repository: str | None = None
    weight_bytes: int
    unchecked_lock: bool = False  # name and sizes are a lock's, but its bytes were not compared with it
    takes_system: bool = True  # else its chat template has no place for a system prompt, and none is sent
    thinks: bool = False  # by its chat template it writes a thought before an answer, unless that is switched off
    in_4bit: bool = False  # quantised when it is loaded (see toolkit.model.four_bits); the files are not

    @property
    def fingerprint(self) -> str:
        """Changes with the weights: the lock's hash, or without a lock the files' names, sizes and times."""
        loaded = " in 4 bits" if self.in_4bit else ""
        if self.lock_sha256 is not None:
            return self.lock_sha256 + loaded
        files = sorted(self.path.glob("*.safetensors")) + [self.path / name for name in TOKENIZER_FILES]
        return " ".join(f"{file}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in files) + loaded

    @property
    def title(self) -> str:
        """The name in reports."""
        return f"{self.name} in 4 bits" if self.in_4bit else self.name

    @property
    def names(self) -> tuple[str, ...]:
        """Those that it has for itself and its makers."""
        return family_of(self.config).markers(f"{self.name} {self.repository or ''} {self.path.name}")

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "path": str(self.path),
            "repository": self.repository,
            "revision": self.revision,
            "lock_sha256": self.lock_sha256,
            "load_in_4bit": self.in_4bit,
            "family": self.config.get("model_type"),
        } | ({"lock_checked": False} if self.unchecked_lock else {})


def find_base_model(name: str | None = None) -> BaseModel:
    """The model in a folder or of a lock's name; without either TOOLKIT_MODEL or Qwen2.5-7B-Instruct.

    Waits for one that is being downloaded. Raises ConfigError for an unknown name, ModelError for a folder that
    cannot be used, and AbsentModelError.
    """
    wanted = name or environment.base_model() or DEFAULT_MODEL
    locks = {known: (path, read_lock(path)) for known, path in known_locks().items()}
    if _is_folder(Path(wanted)):
        return _read_model(Path(wanted), locks)
    wanted = called(wanted) or wanted
    if wanted not in locks:
        raise ConfigError(
            f"No base model {wanted!r}: neither a folder nor a known name.{near_lock(wanted)}",
            next=f"Known: {', '.join(sorted(locks))}; or name a folder that contains config.json.{hub_advice(wanted)}",
        )
    places = places_of(locks[wanted][1])
    why = ": its download ended too early" if wait_for(places) else ""
    for place in places:
        if _is_folder(place):
            return _read_model(place, locks)
    raise AbsentModelError(
        f"The base model {wanted} is not on this disk{why} (looked in {', '.join(map(str, places))}).",
        next=f'Run "{suggestion("download", wanted)}", or name another with --model (tiny-qwen2 is shipped).',
    )


def base_names(name: str | None) -> tuple[str, ...]:
    """`BaseModel.names`; the default model need not be on this disk. Raises as `find_base_model`."""
    if (name or environment.base_model() or DEFAULT_MODEL) == DEFAULT_MODEL:
        return default_names()
    return find_base_model(name).names


class TrainedOn(Protocol):
    """What a run records of its base model."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def lock_sha256(self) -> str | None: ...
    @property
    def load_in_4bit(self) -> bool: ...


def find_recorded_base(name: str, path: str) -> BaseModel:
    """A recorded base model: by its path, else by its name, since a host and its container differ in paths.

    Raises ConfigError and ModelError as `find_base_model` does.
    """
    return replace(find_base_model(path if _is_folder(Path(path)) else name), name=name)


def find_trained_base(trained_on: TrainedOn) -> BaseModel:
    """A run's base model, as `find_recorded_base`. Raises ModelError if it is there with another lock."""
    found = find_recorded_base(trained_on.name, trained_on.path)
    if trained_on.lock_sha256 and found.lock_sha256 and trained_on.lock_sha256 != found.lock_sha256:
        raise ModelError(
            f"The base model in {found.path} is not that of {trained_on.name}: other lock.",
            next="Use the base model of the training; --model names one, also this one all the same.",
        )
    return replace(found, in_4bit=trained_on.load_in_4bit)


def require_sizes(base: BaseModel) -> None:
    """Raises ModelError unless config.json gives the sizes that planning a training needs."""
    sizes = {name: base.config.get(name) for name in SIZES}
    wrong = [name for name, size in sizes.items() if not isinstance(size, int) or size < 1]
    if wrong:
        raise ModelError(
            f"{base.path / 'config.json'} does not give {', '.join(wrong)}.", next="Download the model again."
        )


def _is_folder(path: Path) -> bool:
    """As Path.is_dir, but False where a parent may not be searched, such as another user's /root."""
    return os.path.isdir(path)  # noqa: PTH112


def _read_model(named: Path, locks: Mapping[str, tuple[Path, Lock]]) -> BaseModel:
    """The model in a folder; where `named` is a link, the model takes the link's name."""
    folder, name = named.resolve(), os.path.basename(os.path.abspath(named))  # noqa: PTH100, PTH119  # links stay
    config = _json(folder, "config.json")
    require_trainable(folder, config)
    _reject_remote_code(folder)
    _, tokenizer_config = (_json(folder, file) for file in TOKENIZER_FILES)
    require_renderable(folder, tokenizer_config)
    known_family = family_of(config).known
    if not known_family:
        config = config | standard_sizes(folder, config)
        require_trainable(folder, config)  # again: with what config.json leaves to transformers
    weight_bytes, tensors = 0, set[str]()
    for path in _shards(folder):
        size, names = _read_header(path)
        weight_bytes, tensors = weight_bytes + size, tensors | names
    if known_family:  # of others transformers itself says what is missing, once it loads them
        require_all_layers(folder, tensors, config.get("num_hidden_layers"))
    found = BaseModel(
        name=name, path=folder, config=config, weight_bytes=weight_bytes,
        takes_system=folder_takes_system(folder, tokenizer_config), thinks=folder_thinks(folder, tokenizer_config),
    )  # fmt: skip
    for known, (path, lock) in locks.items():
        if {name, folder.name} & {known, lock.folder} and _same_sizes(folder, lock):
            checked = is_locked_content(folder, lock)
            revision, digest = (lock.revision, file_sha256(path)) if checked else (None, None)
            found = replace(found, name=known, revision=revision, lock_sha256=digest)
            return replace(found, repository=lock.repository or None, unchecked_lock=not checked)
    return found


def _same_sizes(folder: Path, lock: Lock) -> bool:
    """A cheap check; `toolkit verify` reads every byte."""
    return all(
        (folder / file.name).is_file() and (folder / file.name).stat().st_size == file.size_bytes for file in lock.files
    )


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        value = _data(folder / name) if name in DATA_FILES else read_json(folder / name, max_bytes=MAX_CONFIG_BYTES)
    except FileNotFoundError:
        raise ModelError(
            f"{folder} is incomplete: {name} is missing.", next="Download it again, or name another folder."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{folder / name} cannot be read: {error}.", next="Download it again.") from None
    if not isinstance(value, dict):
        raise ModelError(f"{folder / name} is not a JSON object.", next="Download it again.")
    return value


def _data(path: Path) -> Any:
    """As `read_json`, without a look at each of its values: they are many."""
    return json.loads(read_text(path, max_bytes=MAX_DATA_BYTES))


def _reject_remote_code(folder: Path) -> None:
    """Refuses a model whose configuration names Python code of its own, in whichever file a library would look."""
    found = next((path.name for path in sorted(folder.glob("*.json")) if _names_code(path)), None)
    if found is None and (folder / CUSTOM_GENERATE).exists():
        found = CUSTOM_GENERATE
    if found is not None:
        raise ModelError(
            f"{folder} asks to run its own Python code ({found}).",
            next="The toolkit never runs such code: use a model that transformers supports itself.",
        )


def _names_code(path: Path) -> bool:
    """Whether a key of this JSON file, however deep, makes transformers import code from the model's folder."""
    if path.name in DATA_FILES:
        return False
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ModelError(
                f"{path} has {path.stat().st_size / 1e6:.0f} MB, too much for a configuration.",
                next="Remove the file, or use another model.",
            )
        parts = [read_json(path)]
    except (OSError, ValueError, RecursionError):
        return False  # nothing that a library could read either; what the toolkit needs is read, and refused, elsewhere
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            if not CODE_KEYS.isdisjoint(part):
                return True
            parts += part.values()
        elif isinstance(part, list):
            parts += part
    return False


def _shards(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        weight_map = _json(folder, index.name).get("weight_map")
        names = sorted({str(name) for name in weight_map.values()}) if isinstance(weight_map, dict) else []
        if outside := [name for name in names if Path(name).name != name or len(name) > LONGEST_NAME]:
            raise ModelError(
                f"{index} names a file outside its folder: {short(outside[0])!r}.",
                next="Use another copy of the model.",
            )
        missing = [name for name in names if not (folder / name).is_file()]
        if missing or not names:
            raise ModelError(f"{folder} lacks {', '.join(missing) or 'its shards'}.", next="Download it again.")
        return [folder / name for name in names]
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
    if pickled:
        raise ModelError(
            f"{folder} has weights only in pickles ({', '.join(pickled[:3])}), which can run code on load.",
            next="Use a safetensors version of this model.",
        )
    raise ModelError(f"{folder} has no safetensors weights.", next="Download it again, or name another folder.")


def _read_header(path: Path) -> tuple[int, set[str]]:
    """The file's size in bytes and its tensors' names. Raises ModelError where the header contradicts the size.

    The format is 8 bytes of length, JSON, tensors (https://github.com/huggingface/safetensors#format).
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = parse_json(file.read(length)) if length < min(size, MAX_CONFIG_BYTES) else None
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}  # type: ignore[union-attr]
        expected = 8 + length + max(entry["data_offsets"][1] for entry in tensors.values())
    except (struct.error, ValueError, AttributeError, LookupError, TypeError, OSError):
        raise ModelError(f"{path} is corrupt: its header cannot be read.", next="Download it again.") from None
    if size != expected:
        raise ModelError(f"{path} is truncated: {size} of {expected} bytes.", next="Download it again.")
    return size, set(tensors)
