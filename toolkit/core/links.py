"""Refuses symbolic links in folders that somebody else may have made: else their files lead to files of the user.

A link is refused wherever it points. Links in the path to such a folder are the user's own and are followed.
"""

import errno
import os
import shutil
import stat
from pathlib import Path

from toolkit.core.errors import ConfigError, first_line


def require_no_link(*paths: Path) -> None:
    """Raises ConfigError for the first that is a symbolic link; what does not exist is none."""
    for path in paths:
        if path.is_symlink():
            raise _link_error(path)


def require_no_links_in(folder: Path) -> None:
    """Raises ConfigError if the folder, or anything in it at any depth, is a symbolic link."""
    require_no_link(folder)
    for parent, folders, files in os.walk(folder):  # does not follow links
        require_no_link(*(Path(parent, name) for name in sorted([*folders, *files])))


def require_links_stay_in(folder: Path) -> None:
    """Raises ConfigError if the folder is a symbolic link, or has one at any depth that leads out of it."""
    require_no_link(folder)
    root = folder.resolve()
    for parent, folders, files in os.walk(folder):  # does not follow links
        for path in (Path(parent, name) for name in sorted([*folders, *files])):
            if path.is_symlink() and not leads_into(path, root):
                raise _link_error(path)


def leads_into(link: Path, folder: Path) -> bool:
    """Whether the link's target, which need not exist, is in the folder, at any depth."""
    try:
        return link.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a circle of links
        return False


def target_name(link: Path) -> str | None:
    """The last part of what a symbolic link leads to, which need not exist; None of anything else and of a circle."""
    try:
        return link.resolve().name if link.is_symlink() else None
    except (OSError, RuntimeError):
        return None


def circle_of_links(error: Exception) -> ConfigError | None:
    """For what Path.resolve raises, up to Python 3.12, at links that lead to each other: that error; else None."""
    if not isinstance(error, RuntimeError) or not str(error).startswith("Symlink loop"):
        return None
    return ConfigError(
        f"A symbolic link leads back to itself: {first_line(error)}.", next="Remove it, or name what it should lead to."
    )


def open_regular(path: Path, flags: int) -> int:
    """A descriptor of the regular file. It follows no link and waits for no pipe.

    Raises ConfigError for a link, and OSError for anything else that cannot be opened or is not a regular file.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _link_error(path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return descriptor


def copy_regular_file(source: Path, target: Path) -> None:
    """Copies the content; a file or link at `target` is replaced. Raises ConfigError unless `source` is regular."""
    try:
        descriptor = open_regular(source, os.O_RDONLY)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ConfigError(f"{source} is not a regular file.", next="Replace it by one, or remove it.") from None
    with os.fdopen(descriptor, "rb") as stream:
        target.unlink(missing_ok=True)
        with target.open("xb") as copy:
            shutil.copyfileobj(stream, copy)


def _link_error(path: Path) -> ConfigError:
    return ConfigError(
        f"{path} is a symbolic link, which is not followed here.",
        next="Replace it by the file or folder itself, or remove it.",
    )
