"""Refuses symbolic links in folders that somebody else may have made: else their files lead to files of the user.

A link is refused wherever it points. Links in the path to such a folder are the user's own and are followed.
"""

import os
import shutil
import stat
from pathlib import Path

from toolkit.core.errors import ConfigError


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


def copy_regular_file(source: Path, target: Path) -> None:
    """Copies the content; a file or link at `target` is replaced. Raises ConfigError unless `source` is regular."""
    require_no_link(source)
    # The descriptor decides, since the name may change; a FIFO would block without O_NONBLOCK.
    with open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise ConfigError(f"{source} is not a regular file.", next="Replace it by one, or remove it.")
        target.unlink(missing_ok=True)
        with target.open("xb") as copy:
            shutil.copyfileobj(stream, copy)


def _link_error(path: Path) -> ConfigError:
    return ConfigError(
        f"{path} is a symbolic link, which is not followed here.",
        next="Replace it by the file or folder itself, or remove it.",
    )
