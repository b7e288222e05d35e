"""Compares a model's folder with its lock: sizes first, then sha256, then unknown files that would be loaded."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolkit.core.events import Listener, Progress, silent
from toolkit.core.files import file_sha256
from toolkit.model.lock import Lock, LockedFile

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


def _unknown(folder: Path, lock: Lock) -> Iterator[Mismatch]:
    known = {file.name for file in lock.files}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        loaded = path.suffix.lower() in LOADED_SUFFIXES or path.name in LOADED_NAMES
        name = inside.as_posix()
        if loaded and not hidden and name not in known and path.is_file():
            yield Mismatch(name=name, problem="unknown")
