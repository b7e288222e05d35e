"""Several files that are one result: written, replaced and found only together."""

import ctypes
import os
import re
import secrets
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from toolkit.core.files import write_lock, write_text
from toolkit.core.links import copy_regular_file

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # of renameat2(2)


def write_file_set(folder: Path, texts: Mapping[str, str | None], *, own: bool) -> None:
    """Writes these files, and removes those that are None; no kill leaves a new one beside an old one. Raises OSError.

    `own`: the folder has no other purpose, so a new folder takes its place in one step. In another's folder, or on a
    file system that cannot do that, the old files are removed before the new ones appear, the last of `texts` last.
    Processes that write the same folder take turns. A link in the place of the folder is an OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with write_lock(folder):
        place = folder.parent if own else folder
        leftover = re.compile(rf"\.{re.escape(folder.name)}\.[0-9a-f]{{16}}\.partial")
        for path in place.iterdir():
            if leftover.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)
        partial = place / f".{folder.name}.{secrets.token_hex(8)}.partial"
        try:
            partial.mkdir()
            for name, text in texts.items():
                if text is not None:
                    write_text(partial / name, text)
            if not (own and _add_others(folder, partial, texts) and _exchange(partial, folder)):
                _replace(partial, folder, texts)
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # after an exchange these are the old files


def _add_others(folder: Path, partial: Path, texts: Mapping[str, str | None]) -> bool:
    """Gives the new folder the old one's mode and other files; False if those are not all regular files."""
    others = [path for path in folder.iterdir() if path.name not in texts]
    if not all(stat.S_ISREG(path.lstat().st_mode) for path in others):
        return False
    for path in others:
        try:
            os.link(path, partial / path.name, follow_symlinks=False)
        except OSError:  # a file system without hard links
            copy_regular_file(path, partial / path.name)
    partial.chmod(stat.S_IMODE(folder.stat().st_mode))
    return True


def _exchange(first: Path, second: Path) -> bool:
    """Swaps two folders in one step; False where the system or the file system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    swapped: int = renameat2(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE)
    return swapped == 0


def _replace(partial: Path, folder: Path, texts: Mapping[str, str | None]) -> None:
    for name in texts:
        (folder / name).unlink(missing_ok=True)
    for name, text in texts.items():
        if text is not None:
            (partial / name).replace(folder / name)
