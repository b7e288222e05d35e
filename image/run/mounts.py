"""Which host files a command in the container needs, and where it will look for them. Pure but for looking.

In the container the work folder is /root: `output` is /root/output, `data/x.json` is /root/data/x.json. A path in the
command's arguments that exists on the host is mounted where the command, started in /root, will look for it.
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
# In these the container has its own, and a command that names a path there means that one.
OF_THE_SYSTEM = re.compile(r"/(bin|boot|dev|etc|lib\w*|proc|run|sbin|sys|usr)(/|$)")
NOT_TO_BE_HIDDEN = ("/", HOME, "/opt", "/opt/toolkit", "/opt/venv", "/tmp", "/var")  # noqa: S108


def mounts_for(arguments: Sequence[str], *, output: Path, data: Path) -> tuple[Mount, ...]:
    """`output` to write to, `data` where it is a folder, and what `arguments` name; `output` is made where absent.

    Raises ConfigError where a folder cannot be written to, or an argument would hide the image's own files.
    """
    output.mkdir(parents=True, exist_ok=True)
    mounts = {OUTPUT: Mount(source=str(output.resolve()), target=OUTPUT, read_only=False)}
    if data.is_dir():
        mounts[DATA] = Mount(source=str(data.resolve()), target=DATA)
    for path, target in _named_files(arguments, data):
        inside = any(target == known or target.startswith(f"{known}/") for known in mounts)
        if target in NOT_TO_BE_HIDDEN:
            raise ConfigError(f"{path} cannot be had in the container: it would hide {target}.", next="Name a file.")
        if not inside:
            mounts[target] = Mount(source=str(path.resolve()), target=target)
    return tuple(mounts.values())


def _named_files(arguments: Sequence[str], data: Path) -> Iterator[tuple[Path, str]]:
    """Each argument that is a file or folder here, as it is, as `--option=PATH`, or with ms-swift's `PATH#COUNT`.

    A bare name that is not here is looked up in `data`, as the toolkit does: the host's copy is the one that is edited.
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
        if _exists(path) and (path.is_file() or "/" in name) and not OF_THE_SYSTEM.match(target):
            yield path, target
            beside = path.with_name(f"{path.stem}.probes.yaml")  # where the toolkit looks for a data set's own probes
            if path.is_file() and beside.is_file():
                yield beside, posixpath.join(posixpath.dirname(target), beside.name)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long for a file is a text
        return False
