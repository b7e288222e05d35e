"""The token of a studio that keeps it: in a file that only its owner can read, for agents' configurations.

Never an argument or an environment variable's value, which other processes show.
"""

import os
import re
import secrets
import stat
from pathlib import Path

from toolkit.core.errors import ConfigError
from toolkit.core.links import open_regular
from toolkit.data.dataset import DATA_SUFFIXES

TOKEN = re.compile(r"[A-Za-z0-9_-]{20,200}")  # as it stands in an address, a cookie and a header
MOST_BYTES = 1000
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def new_token() -> str:
    """192 bits."""
    return secrets.token_urlsafe(24)


def kept_token(file: Path) -> str:
    """The file's token, which is made with the file if there is none yet.

    Raises ConfigError for a file that others can read or write, that is a link, or that has another content.
    """
    if file.suffix.lower() in DATA_SUFFIXES:
        raise ConfigError(f"{file} has the name of a data set, which pages and agents read.", next="Name it .token.")
    try:
        _create(file)
        descriptor = open_regular(file, os.O_RDONLY)
        with os.fdopen(descriptor, "rb") as opened:
            found = os.fstat(opened.fileno())
            content = opened.read(MOST_BYTES)
    except OSError as error:
        raise ConfigError(f"The token's file {file} cannot be used: {error.strerror}.", next="Name another.") from None
    if found.st_uid != os.geteuid() or found.st_mode & OTHERS:
        raise ConfigError(
            f"Others than you can read or change {file}.", next=f"Make it yours: chmod 600 {file}, or remove it."
        )
    token = content.decode("ascii", "replace").strip()
    if not TOKEN.fullmatch(token):
        raise ConfigError(
            f"{file} has no token: a line of 20 or more of A-Z, a-z, 0-9, _ and -.", next="Remove it, and one is made."
        )
    return token


def _create(file: Path) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(f"{new_token()}\n")
