"""What happens before the libraries are imported: environment, garbage collection, the process's start."""

import atexit
import gc
import getpass
import logging
import os
import shutil
import tempfile
import time
import warnings
from pathlib import Path

STATUS = Path("/proc/self/stat")
START_TICKS = 19  # the field's place behind the program's name, which may hold spaces (proc(5): starttime, 22)
_seen = time.perf_counter()
RELAXED = (100_000, 20, 100)
DEFAULT_THRESHOLDS_GC = gc.get_threshold()


def relax_gc() -> None:
    """Until `imports_are_done`; at the process's end what is still there is not walked once more."""
    if gc.get_threshold() != RELAXED:
        gc.set_threshold(*RELAXED)
        atexit.register(gc.freeze)


def restore_gc() -> None:
    """From here on as usual, but what is there now is left aside. Called before a model is: it must be collected."""
    if gc.get_threshold() == RELAXED:
        gc.freeze()
        gc.set_threshold(*DEFAULT_THRESHOLDS_GC)


def process_started(status: Path = STATUS) -> float:
    """On `time.perf_counter`'s clock, to a hundredth of a second; when this was imported where the system is silent."""
    try:
        ticks = int(status.read_text(encoding="utf-8").rpartition(")")[2].split()[START_TICKS])
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return _seen
    started = time.perf_counter() - age_s
    return started if age_s >= 0 and started <= _seen else _seen


def prepare_environment(*, online: bool = False) -> None:
    """They read these once, so this comes before every import of theirs."""
    if not online:
        os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        getpass.getuser()
    except (KeyError, OSError):  # an unknown uid has neither a name nor a home
        os.environ.setdefault("USER", f"uid{os.getuid()}")
    home = Path.home() if os.environ.get("HOME") else Path("/")
    if not os.access(home, os.W_OK) or home == Path("/"):
        os.environ["HOME"] = tempfile.mkdtemp(prefix="toolkit-home-")
        atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)
    logging.getLogger("bitsandbytes").setLevel(
        logging.ERROR
    )  # peft imports it where it is, and it tells of its kernels
    for noise in (".*pin_memory.*", "Could not find a config file in"):  # the latter: an adapter names no folder
        warnings.filterwarnings("ignore", message=noise)
