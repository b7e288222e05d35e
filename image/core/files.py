"""Digests of files, files that may be shared, and writes that never leave half a file behind."""

import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from image.core.errors import ConfigError, first_line


def content_digest(content: bytes) -> str:
    """An OCI digest: "sha256:" and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def file_digest(path: Path) -> str:
    """The OCI digest of a file's content. Raises OSError."""
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def shareable_files(folder: Path, *parts: str) -> Iterator[Path]:
    """Yields the files in those `parts` (names of files and folders) of `folder` that exist, and in their subfolders.

    Raises ConfigError for a symbolic link (`folder` included), a device, a pipe or a socket, and for a part outside the
    folder: what is shared must come from the folder itself.
    """
    if folder.is_symlink():
        raise _not_shareable(folder, "is a link")
    for part in parts:
        path = folder / part
        if part in {"", ".", ".."} or Path(part).name != part:
            raise _not_shareable(path, "is not a name in that folder")
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(mode):
            yield from shareable_files(path, *sorted(each.name for each in path.iterdir()))
        elif stat.S_ISREG(mode):
            yield path
        else:
            raise _not_shareable(path, "is a link" if stat.S_ISLNK(mode) else "is not a regular file")


def _not_shareable(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path} {why}, so it is not shared.", next="Replace it with the file itself, or remove it.")


def replace_atomically(path: Path, content: str) -> None:
    """Writes `content` and a newline to `path`. Raises ConfigError on failure, and leaves an old file as it was."""
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("x", encoding="utf-8") as file:  # a new file: a link in its place is never followed
            file.write(content + "\n")
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise ConfigError(
            f"Cannot write {path}: {first_line(error)}.", next="Free some disk space, or fix the permissions."
        ) from error


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Makes the folder, and waits until no other process is in this block for it. Raises OSError, also for a link.

    The lock is of the folder itself (flock), ends with the process, and does nothing where the file system has none.
    """
    while True:
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:  # renamed since
            continue
        try:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_open(folder, descriptor):
                yield
                return
        finally:
            os.close(descriptor)


def _is_open(folder: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(folder.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
