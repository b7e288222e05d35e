"""What runs before the libraries are imported: environment, relaxed garbage collection, the process's start time."""

import atexit
import gc
import getpass
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from toolkit.core import environment
from toolkit.core.environment import TOKENIZERS_PARALLELISM, invalid_variable
from toolkit.core.errors import ConfigError
from toolkit.core.files import home

STATUS = Path("/proc/self/stat")
PR_SET_PDEATHSIG = 1  # prctl(2)
START_TICKS = 19  # index of starttime, counted after the program's name, which may contain spaces (proc(5), field 22)
RELAXED_THRESHOLDS = (100_000, 20, 100)
DEFAULT_THRESHOLDS = gc.get_threshold()
FOUR_BITS = "bitsandbytes"
# Functions that remember whether it is there (docs/fragile.md).
LOOKED_FOR_IT = {
    "peft.import_utils": ("is_bnb_available", "is_bnb_4bit_available"),
    "transformers.utils.import_utils": ("is_bitsandbytes_available",),
}
_wanted: set[str] = set()
_imported_at = time.perf_counter()
_start_again: list[Callable[[], None]] = []


def relax_gc() -> None:
    """Collects rarely until `restore_gc`: imports make many objects and hardly any garbage.

    At exit the remaining objects are frozen, so that the interpreter does not traverse them a last time.
    """
    if gc.get_threshold() != RELAXED_THRESHOLDS:
        gc.set_threshold(*RELAXED_THRESHOLDS)
        atexit.register(gc.freeze)


def restore_gc() -> None:
    """Python's default thresholds again; the objects of the imports are frozen, since they live to the end.

    Call it before a model is loaded: a frozen model would never be collected.
    """
    if gc.get_threshold() == RELAXED_THRESHOLDS:
        gc.freeze()
        gc.set_threshold(*DEFAULT_THRESHOLDS)


def relax_python() -> None:
    """Raises ConfigError where Python was started without docstrings; warnings that would be errors are not.

    transformers reads its docstrings when it is imported, and every library below warns of something.
    """
    if sys.flags.optimize > 1:
        raise ConfigError(
            "Python runs without docstrings (PYTHONOPTIMIZE=2 or -OO), which transformers reads.",
            next="Leave it out: env -u PYTHONOPTIMIZE toolkit …",
        )
    if any(option.startswith("error") for option in sys.warnoptions):
        warnings.simplefilter("ignore")
        os.environ.pop("PYTHONWARNINGS", None)  # of the processes that we start


def keep_caches_at_home() -> None:
    """Caches of the hubs' clients beside the models, where those are not in this folder; call it before any import."""
    if (folder := home()) != Path():
        os.environ.setdefault("XDG_CACHE_HOME", str(folder / "cache"))
        os.environ.setdefault("MODELSCOPE_CACHE", str(folder / "cache" / "modelscope"))


def process_started(status: Path = STATUS) -> float:
    """When the process started, in seconds on `time.perf_counter`'s clock, to a hundredth.

    Without a usable /proc, when this module was imported. For a warm process, when its command was.
    """
    if (given := environment.started()) is not None:
        return given
    try:
        ticks = int(status.read_text(encoding="utf-8").rpartition(")")[2].split()[START_TICKS])
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return _imported_at
    started = time.perf_counter() - age_s
    return started if age_s >= 0 and started <= _imported_at else _imported_at


def start_again_online(function: Callable[[], None]) -> None:
    """Has `function` called where libraries that were imported offline are needed online; it does not return."""
    _start_again[:] = [function]


def want_four_bits() -> None:
    """From here on bitsandbytes can be found in this process, also by libraries that looked for it before."""
    _wanted.add(FOUR_BITS)
    if sys.modules.get(FOUR_BITS, True) is None:
        del sys.modules[FOUR_BITS]
    for module, names in LOOKED_FOR_IT.items():
        for name in names if module in sys.modules else ():
            getattr(sys.modules[module], name).cache_clear()


def prepare_environment(*, online: bool = False) -> None:
    """Sets what ms-swift, transformers and huggingface_hub read once, when they are imported; call it before that.

    Offline unless `online`. A user without a name, or without a writable home, gets a name and a temporary home.
    Raises ConfigError for a variable that they will not accept.
    """
    if (name := invalid_variable()) is not None:
        raise ConfigError(
            f"The environment variable {name} has a value that a library does not accept: {os.environ[name][:80]!r}.",
            next=f"Correct it, or leave it out: env -u {name} toolkit …",
        )
    if not online:
        os.environ["HF_HUB_OFFLINE"] = "1"
    elif _start_again:
        _start_again[0]()
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    os.environ.setdefault(TOKENIZERS_PARALLELISM, "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        getpass.getuser()
    except (KeyError, OSError):  # a uid that the system does not list
        os.environ.setdefault("USER", f"uid{os.getuid()}")
    home = Path.home() if os.environ.get("HOME") else Path("/")
    if not os.access(home, os.W_OK) or home == Path("/"):
        os.environ["HOME"] = tempfile.mkdtemp(prefix="toolkit-home-")
        atexit.register(_remove_own, os.environ["HOME"], os.getpid())
    if not _wanted:
        # peft imports it where it can be found, which takes 1.3 s: a module that is None cannot.
        sys.modules.setdefault(FOUR_BITS, None)  # type: ignore[arg-type]  # which Python allows
    # It logs its choice of kernels.
    logging.getLogger(FOUR_BITS).setLevel(logging.ERROR)
    # The second is about an adapter, whose base model has a name and not a folder.
    for message in (".*pin_memory.*", "Could not find a config file in"):
        warnings.filterwarnings("ignore", message=message)


def _remove_own(folder: str, pid: int) -> None:
    """Not in a process that was forked from the one that made it."""
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)


def fork_beside(work: Callable[[], object]) -> int:
    """A copy of this process does `work` and ends, or ends before with this one, at once; returns the copy's id.

    Of this process it runs nothing else there, neither handlers of signals nor what is meant for the end. Errors of
    `work` are not shown.
    """
    parent = os.getpid()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which the caller answers for
        pid = os.fork()
    if pid:
        return pid
    try:
        end_with(parent, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to both; the other one ends this one
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        work()
    finally:
        os._exit(0)


def end_with(parent: int, number: int) -> None:
    """In a process that was forked from `parent`: the kernel sends it this signal where that is gone."""
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(0)
