"""Compares a model's folder with its lock: sizes, unknown files that would be loaded, then sha256.

Files that are not in the lock are fine unless transformers or peft would load them: weights, code, templates and token
maps are reported as `unknown`; a README, a licence and hidden files are not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolkit.core.errors import ModelError
from toolkit.core.events import Listener, Progress, silent
from toolkit.core.file_stats import known_sha256, remember_sha256, sha256_once
from toolkit.core.files import file_sha256
from toolkit.model.lock import Lock, LockedFile

HASHED_AT_ONCE_BYTES, SMALL_FILE_BYTES = 256_000_000, 16_000_000  # a quarter of a second at most
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
    """A file that differs from the lock; `str()` gives one line."""

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
                why = "not in the lock, but would be loaded"
            case "unreadable":
                why = f"cannot be read: {self.found}"
        return f"{self.name}: {why}"


def check_folder(folder: Path, lock: Lock, listener: Listener = silent) -> list[Mismatch]:
    """Every difference between `folder` and the lock; an empty list means a complete model."""
    return list(mismatches(folder, lock, listener))


def mismatches(folder: Path, lock: Lock, listener: Listener = silent) -> Iterator[Mismatch]:
    """As `check_folder`, one by one: missing, truncated and unknown files come before the first byte is hashed."""
    same_size = []
    for file in lock.files:
        wrong = size_mismatch(folder, file)
        if wrong is None:
            same_size.append(file)
        else:
            yield wrong
    yield from _unknown(folder, lock)
    total, done = sum(file.size_bytes for file in same_size), 0
    for file in same_size:
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
    """None if the file is there in its locked size."""
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
    """None if the content is the locked one; `advance` as in `file_sha256`."""
    try:
        found = file_sha256(folder / file.name, advance)
    except OSError as error:
        return Mismatch(name=file.name, problem="unreadable", found=str(error.strerror))
    remember_sha256(folder / file.name, found)
    if found != file.sha256:
        return Mismatch(name=file.name, problem="sha256", expected=file.sha256, found=found)
    return None


def is_locked_content(folder: Path, lock: Lock) -> bool:
    """Whether every byte was compared with the lock: now if that takes a moment, else by an earlier verification.

    Raises ModelError for a file that was read and differs.
    """
    small, complete = lock.total_bytes <= HASHED_AT_ONCE_BYTES, True
    for file in lock.files:
        path = folder / file.name
        try:
            found = sha256_once(path) if small or file.size_bytes <= SMALL_FILE_BYTES else known_sha256(path)
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}.", next="Download the model again.") from None
        complete = complete and found is not None
        if found not in {None, file.sha256}:
            raise ModelError(
                f"{path} is damaged: sha256 {str(found)[:12]}…, in the lock of {lock.name} {file.sha256[:12]}….",
                next="Download the model again; if this is another model, give its folder another name.",
            )
    return complete


def _unknown(folder: Path, lock: Lock) -> Iterator[Mismatch]:
    known = {file.name for file in lock.files}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        loaded = path.suffix.lower() in LOADED_SUFFIXES or path.name in LOADED_NAMES
        name = inside.as_posix()
        if loaded and not hidden and name not in known and path.is_file():
            yield Mismatch(name=name, problem="unknown")
