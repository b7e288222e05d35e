"""The lock of a base model: which files it has, how long they are, what their sha256 is. Reads, writes nothing.

A folder may hold more than the lock names, as long as nothing of it would be loaded: a README, a licence, hidden files.
Weights, code, templates and token maps that the lock does not know are reported as `unknown`, since transformers or
peft would pick them up.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolkit.errors import ConfigError
from toolkit.lock_fields import Fields
from toolkit.paths import locks_folder
from toolkit.progress import Listener, Progress, silent

BLOCK_BYTES = 8 * 1024 * 1024
LOADED_SUFFIXES = frozenset(
    {
        *(".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack", ".onnx", ".gguf"),
        *(".py", ".so", ".jinja", ".tiktoken", ".model"),
    }
)
LOADED_NAMES = frozenset(
    {
        *("adapter_config.json", "added_tokens.json", "special_tokens_map.json", "chat_template.json"),
        *("processor_config.json", "preprocessor_config.json", "quantize_config.json", "model.safetensors.index.json"),
        "pytorch_model.bin.index.json",
    }
)


@dataclass(frozen=True, kw_only=True)
class LockedFile:
    name: str  # relative to the folder, with "/"
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Lock:
    name: str
    folder: str  # the folder's usual name
    repository: str  # "owner/name" on a hub; "" where the model ships with the toolkit
    revision: str  # 40 hex digits; "" where there is no repository
    licence: str
    files: tuple[LockedFile, ...]

    @property
    def total_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


Problem = Literal["missing", "size", "sha256", "unknown", "unreadable"]


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """One file that is not as the lock says; `str()` of it is one line."""

    name: str
    problem: Problem
    expected: str = ""
    found: str = ""

    def __str__(self) -> str:
        match self.problem:
            case "missing":
                why = "missing"
            case "size":
                why = f"{self.found} bytes, the lock says {self.expected}"
            case "sha256":
                why = f"sha256 {self.found[:12]}…, the lock says {self.expected[:12]}…"
            case "unknown":
                why = "not in the lock, and it would be loaded"
            case "unreadable":
                why = f"cannot be read: {self.found}"
        return f"{self.name}: {why}"


def read_lock(path: Path) -> Lock:
    """The lock in `path`. Raises ConfigError with the file and the field that is wrong."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The lock {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigError(f"The lock {path} is not JSON: {error}.") from error
    fields = Fields(path=path, content=content)
    fields.require_version(1)
    repository = fields.repository("repository")
    files = fields.table("files")
    return Lock(
        name=fields.plain_name("name"),
        folder=fields.plain_name("folder"),
        repository=repository,
        revision=fields.revision("revision") if repository else "",
        licence=fields.text("licence"),
        files=tuple(
            LockedFile(name=entry.file_name(), size_bytes=entry.size("bytes"), sha256=entry.sha256("sha256"))
            for entry in files
        ),
    )


def known_locks() -> dict[str, Path]:
    """Name → file of every shipped lock."""
    return {path.stem: path for path in sorted(locks_folder().glob("*.json"))}


def find_lock(name: str) -> Lock:
    """The shipped lock called `name`; its folder's or repository's name will do too, in any case."""
    locks = known_locks()
    if name.lower() in locks:
        return read_lock(locks[name.lower()])
    for lock in map(read_lock, locks.values()):
        if name.lower() in {lock.folder.lower(), lock.repository.lower()}:
            return lock
    raise ConfigError(f'No base model is called "{name}".', next=f"Known are: {', '.join(locks) or 'none'}.")


def choose_lock(folder: Path, wanted: str | None = None) -> Lock:
    """The lock for `folder`: `wanted` (a name or a file), else by the folder's name, else by its config.json."""
    if wanted is not None:
        is_file = wanted.endswith(".json") or Path(wanted).is_file()
        return read_lock(Path(wanted)) if is_file else find_lock(wanted)
    locks = [read_lock(path) for path in known_locks().values()]
    here = folder.resolve().name.lower()
    for lock in locks:
        if here in {lock.name.lower(), lock.folder.lower()}:
            return lock
    config = folder / "config.json"
    found = file_sha256(config) if config.is_file() else ""
    for lock in locks:
        if any(file.name == "config.json" and file.sha256 == found for file in lock.files):
            return lock
    raise ConfigError(
        f"No lock fits {folder}: neither its name nor its config.json is that of a known base model.",
        next=f"Name one with --lock: {', '.join(lock.name for lock in locks)}, or a file.",
    )


def lock_sha256(path: Path) -> str:
    return file_sha256(path)


def check_folder(folder: Path, lock: Lock, listener: Listener = silent) -> list[Mismatch]:
    """Everything in `folder` that is not as the lock says; an empty list is a whole model."""
    return list(mismatches(folder, lock, listener))


def mismatches(folder: Path, lock: Lock, listener: Listener = silent) -> Iterator[Mismatch]:
    """As `check_folder`, one by one: what is missing, short or unknown comes before the first byte is hashed."""
    sound = []
    for file in lock.files:
        wrong = size_mismatch(folder, file)
        if wrong is None:
            sound.append(file)
        else:
            yield wrong
    yield from _unknown(folder, lock)
    total, done = sum(file.size_bytes for file in sound), 0
    for file in sound:
        before = done

        def advance(hashed: int, before: int = before, name: str = file.name) -> None:
            listener(
                Progress(task=f"check {lock.folder}", done=before + hashed, total=total, unit="bytes", detail=name)
            )

        wrong = sha256_mismatch(folder, file, advance)
        done += file.size_bytes
        if wrong is not None:
            yield wrong


def size_mismatch(folder: Path, file: LockedFile) -> Mismatch | None:
    path = folder / file.name
    try:
        if not path.is_file():
            return Mismatch(name=file.name, problem="missing")
        size = path.stat().st_size
    except OSError as error:
        return Mismatch(name=file.name, problem="unreadable", found=str(error.strerror))
    if size != file.size_bytes:
        return Mismatch(name=file.name, problem="size", expected=str(file.size_bytes), found=str(size))
    return None


def sha256_mismatch(folder: Path, file: LockedFile, advance: Callable[[int], None] | None = None) -> Mismatch | None:
    try:
        found = file_sha256(folder / file.name, advance)
    except OSError as error:
        return Mismatch(name=file.name, problem="unreadable", found=str(error.strerror))
    if found != file.sha256:
        return Mismatch(name=file.name, problem="sha256", expected=file.sha256, found=found)
    return None


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


def _unknown(folder: Path, lock: Lock) -> Iterator[Mismatch]:
    known = {file.name for file in lock.files}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        loaded = path.suffix.lower() in LOADED_SUFFIXES or path.name in LOADED_NAMES
        name = inside.as_posix()
        if loaded and not hidden and name not in known and path.is_file():
            yield Mismatch(name=name, problem="unknown")
