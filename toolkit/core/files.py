"""Paths of the shipped data, atomic writes, JSON of others, hashes, folder locks and free space."""

import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from toolkit.core import environment
from toolkit.core.errors import ConfigError, ToolkitError
from toolkit.core.links import open_regular

BLOCK_BYTES = 8 * 1024 * 1024
ABANDONED_S = 3600
PARTIAL = re.compile(r"\.[0-9a-f]{16}\.partial")  # a file that is being written, see `write_bytes`
LOCK_NAME = ".lock"  # the file in a folder that its process locks

SHIPPED_DATA = "self_cognition.json"  # in the data folder
MODELS, RUNS = "models", "output"  # in `home`
# Where hosts of rented containers mount the disk that is meant for data: AutoDL, Gpushare, ModelScope and PAI, RunPod.
DATA_DISKS = ("/root/autodl-tmp", "/hy-tmp", "/mnt/workspace", "/workspace")
SMALL_DISK_BYTES = 64 * 10**9  # weights (15 GB), a merge (15), libraries (6) and what the system has need more


def data_folder() -> Path:
    """The shipped `data/`: beside the package, or the folder in TOOLKIT_DATA."""
    return Path(environment.data_folder() or Path(__file__).parents[2] / "data")


def docs_folder() -> Path:
    """The pages of `docs/`, beside the package; they need not be there."""
    return Path(__file__).parents[2] / "docs"


def home() -> Path:
    """Where models, runs and caches go unless an option says otherwise: TOOLKIT_HOME, a data disk, or this folder.

    Relative for this folder. A data disk counts where `data_disk` finds one and nothing of the toolkit is here yet.
    """
    if named := environment.home():
        folder = Path(named).expanduser().absolute()
        return Path() if folder == Path.cwd() else folder
    if environment.program() is not None or os.path.isdir(MODELS) or os.path.isdir(RUNS):  # noqa: PTH112  # never raises
        return Path()
    disk = data_disk()
    return Path() if disk is None else disk / "finetune-and-prove"


def data_disk(here: Path = Path(), known: Sequence[str] = DATA_DISKS) -> Path | None:
    """A larger disk for data than the small one of `here`, mounted where hosts of rented containers do; else None.

    By the disks' whole sizes: what is free changes with each run.
    """
    try:
        small = shutil.disk_usage(here).total
        if small >= SMALL_DISK_BYTES:
            return None
        device = here.stat().st_dev
    except OSError:
        return None
    for path in map(Path, known):
        with suppress(OSError):
            if path.stat().st_dev != device and os.access(path, os.W_OK) and shutil.disk_usage(path).total > small:
                return path
    return None


def locks_folder() -> Path:
    """The folder of the shipped base models' locks."""
    return data_folder() / "locks"


def file_sha256(path: Path, advance: Callable[[int], None] | None = None) -> str:
    """The file's sha256 in hexadecimal; `advance` gets the number of bytes read after each block. Raises OSError."""
    digest, done = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
            done += len(block)
            if advance is not None:
                advance(done)
    return digest.hexdigest()


def now() -> str:
    """The local time with its offset, in ISO 8601, to the second."""
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")


def write_json(path: Path, value: dict[str, Any]) -> None:
    """As `write_text`, in the form of `json_text`."""
    write_text(path, json_text(value))


def json_text(value: dict[str, Any]) -> str:
    """The value as indented JSON with a final line break."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Replaces `path` atomically: a reader sees either the old or the new content. Raises OSError.

    A link at `path` is replaced, not followed; no link that waits in the folder is written through.
    """
    _write(path, [content])


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """As `write_text` of all of them, one after the other."""
    _write(path, (line.encode() for line in lines))


def _write(path: Path, parts: Iterable[bytes]) -> None:
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with partial.open("xb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def remove_partial_files(folder: Path) -> None:
    """Removes what `write_bytes` left in the folder when it was killed. Recent files stay: they may be in progress."""
    for path in folder.iterdir():
        if PARTIAL.fullmatch(path.name) and time.time() - path.lstat().st_mtime > ABANDONED_S:
            path.unlink(missing_ok=True)


def lock_folder(folder: Path) -> TextIOWrapper:
    """Locks the folder (flock on its `.lock`) until the returned file is closed or the process ends, even if killed.

    Raises BlockingIOError while another process has the lock, OSError if the folder is missing or not writable, and
    ConfigError for a link in the place of the file.
    """
    import fcntl

    path = folder / LOCK_NAME
    while True:
        file = os.fdopen(open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_same_file(path, file):
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # between opening and locking, the folder was renamed or removed: try its successor


def is_same_file(path: Path, file: TextIOWrapper) -> bool:
    """Whether `path` still leads to the open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def is_locked(folder: Path) -> bool:
    """Whether some process has locked the folder; False where there is no lock to read."""
    import fcntl

    try:
        with os.fdopen(open_regular(folder / LOCK_NAME, os.O_RDONLY)) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (OSError, ConfigError):
        return False
    return False


@contextmanager
def write_lock(folder: Path) -> Iterator[None]:
    """Waits until no other process is in this block for the same folder (flock on the folder itself, no file).

    Without effect on a file system that cannot lock folders. Raises OSError for a folder that is missing, or a link.
    """
    descriptor = _open_locked(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def _open_locked(folder: Path) -> int:
    import fcntl

    while True:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(folder.lstat(), os.fstat(descriptor)):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # another folder took its place while this process waited


def require_free_space(
    folder: Path, needed_bytes: int, margin_bytes: int, *, purpose: str, option: str, error: type[ToolkitError]
) -> None:
    """Raises `error` unless the disk of `folder` has room for `needed_bytes` and `margin_bytes` more.

    The folder need not exist yet: its nearest existing parent counts. `purpose` names what needs the space, `option`
    the command-line option that moves it elsewhere.
    """
    place = folder.absolute()
    while not os.path.exists(place):  # noqa: PTH110  # Path.exists raises where a parent may not be searched
        place = place.parent
    free, needed = shutil.disk_usage(place).free, needed_bytes + margin_bytes
    if free < needed:
        divisor, decimals, unit = (1e9, 1, "GB") if needed >= 1e9 else (1e6, 0, "MB")  # noqa: PLR2004
        raise error(
            f"{place} has {free / divisor:.{decimals}f} {unit} free, "
            f"{purpose} needs {needed / divisor:.{decimals}f} {unit}.",
            next=f"Free some space, or name another folder with {option}.",
        )
