"""What has to be the same for a warm process to do what a new one would. Standard library only.

A library reads its variables, limits and cores once, when it is loaded: where they differ, a command starts by itself.
"""

import hashlib
import os
import resource
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from toolkit.core.environment import DATA, GPU_MEMORY_GIB, HOME, LAUNCHER_NAMES, LAUNCHER_PREFIXES, PRECISION
from toolkit.core.errors import LIBRARY_VARIABLES

PACKAGE = Path(__file__).parents[2]
# What loader, interpreter, C library and the toolkit itself read once, beside what the libraries read.
READ_ONCE = (
    *LIBRARY_VARIABLES, *LAUNCHER_PREFIXES, "LD_", "PYTHON", "LC_", "LANG", "TZ", "MALLOC_", "GLIBC_", "NVIDIA_", DATA,
    GPU_MEMORY_GIB, HOME, PRECISION,
)  # fmt: skip
NAMESPACES = ("ipc", "mnt", "net", "pid", "user")
FLAGS = ("optimize", "dev_mode", "utf8_mode", "dont_write_bytecode", "no_user_site", "isolated", "no_site")
LIMITS = ("AS", "CORE", "CPU", "DATA", "FSIZE", "MEMLOCK", "NOFILE", "NPROC", "RSS", "STACK")

Identity = dict[str, Any]


def identity(environment: Mapping[str, str]) -> Identity:
    """Of this process, were it started with `environment`: a value for each kind of thing that may differ."""
    return {
        "the toolkit's code": _code(PACKAGE),
        "the Python environment": [sys.prefix, sys.version, _changed_at(Path(sysconfig.get_path("purelib")))],
        "Python's options": [[getattr(sys.flags, name) for name in FLAGS], list(sys.warnoptions), _x_options()],
        "the user": [os.getuid(), os.getgid(), os.geteuid(), os.getegid(), sorted(os.getgroups())],
        "the container": [_link(f"/proc/self/ns/{name}") for name in NAMESPACES],
        "the cores": sorted(os.sched_getaffinity(0)),
        "the priority": os.getpriority(os.PRIO_PROCESS, 0),
        "a limit (ulimit)": [resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in LIMITS],
        **{f"the variable {name}": environment[name] for name in sorted(environment) if _is_read_once(name)},
    }


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The first thing that differs; None if nothing does. Both as JSON has them, in which a tuple is a list."""
    names = [name for name in {**one, **other} if _plain(one.get(name)) != _plain(other.get(name))]
    return names[0] if names else None


def _is_read_once(name: str) -> bool:
    return name in LAUNCHER_NAMES or name.startswith(READ_ONCE)


def _plain(value: Any) -> Any:
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def _x_options() -> list[str]:
    return sorted(f"{name}={value}" for name, value in sys._xoptions.items())  # noqa: SLF001  # it has no other name


def _code(package: Path) -> str:
    """Changes with any file of the package."""
    lines = sorted(f"{path}:{found.st_mtime_ns}:{found.st_size}" for path, found in _files(str(package)))
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    yield from _files(entry.path)
            else:
                yield entry.path, entry.stat()


def _changed_at(folder: Path) -> int:
    """When something was last installed into it, or removed."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""
