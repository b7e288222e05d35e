"""Which host files a command in the container needs, and where it will look for them.

The container's working folder is /root: `output` is /root/output there, `data/x.json` is /root/data/x.json. A path in
the command's arguments that exists on the host is mounted where the command, started in /root, will look for it.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from image.core.errors import ConfigError
from image.engine import Mount

HOME = "/root"
OUTPUT = f"{HOME}/output"
DATA = f"{HOME}/data"
# The container has its own of these, and a command that names a path in them means the container's.
SYSTEM_FOLDERS = re.compile(r"/(bin|boot|dev|etc|lib\w*|proc|run|sbin|sys|usr)(/|$)")
PROTECTED_TARGETS = ("/", HOME, "/opt", "/opt/toolkit", "/opt/venv", "/tmp", "/var")  # noqa: S108


def mounts_for(arguments: Sequence[str], *, output: Path, data: Path) -> tuple[Mount, ...]:
    """Mounts `output` writable; read-only `data`, if it is a folder, and the files and folders in `arguments`.

    Creates `output` if it is missing. Raises ConfigError if a mount would hide the image's own files.
    """
    output.mkdir(parents=True, exist_ok=True)
    mounts = {OUTPUT: Mount(source=str(output.resolve()), target=OUTPUT, read_only=False)}
    if data.is_dir():
        mounts[DATA] = Mount(source=str(data.resolve()), target=DATA)
    for path, target in _files_in(arguments, data):
        mounted = any(target == other or target.startswith(f"{other}/") for other in mounts)
        if target in PROTECTED_TARGETS:
            raise ConfigError(
                f"Cannot mount {path}: it would hide the container's {target}.", next="Name a file instead."
            )
        if not mounted:
            mounts[target] = Mount(source=str(path.resolve()), target=target)
    return tuple(mounts.values())


def _files_in(arguments: Sequence[str], data: Path) -> Iterator[tuple[Path, str]]:
    """Yields path and target of each argument that is a file or folder: PATH, --option=PATH or ms-swift's PATH#COUNT.

    A bare name is also looked up in `data`, as the toolkit does, so that the host's copy is used and not the image's.
    """
    for argument in arguments:
        value = argument.partition("=")[2] if re.match(r"--[\w-]+=", argument) else argument
        name = re.sub(r"#\d+$", "", value)
        if not name or name.startswith("-"):
            continue
        path = Path(name).expanduser()
        if not _exists(path):
            path = data / name
        target = posixpath.normpath(posixpath.join(HOME, name))
        if _exists(path) and (path.is_file() or "/" in name) and not SYSTEM_FOLDERS.match(target):
            yield path, target
            probes = path.with_name(f"{path.stem}.probes.yaml")  # where the toolkit looks for a data set's own probes
            if path.is_file() and probes.is_file():
                yield probes, posixpath.join(posixpath.dirname(target), probes.name)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # the argument is a text, too long for a file name
        return False
