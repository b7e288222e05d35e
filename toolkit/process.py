"""When the process began."""

import os
import time
from pathlib import Path

STATUS = Path("/proc/self/stat")
START_TICKS = 19  # the field's place behind the program's name, which may hold spaces (proc(5): starttime, 22)
_seen = time.perf_counter()


def process_started(status: Path = STATUS) -> float:
    """On `time.perf_counter`'s clock, to a hundredth of a second; when this was imported where the system is silent."""
    try:
        ticks = int(status.read_text(encoding="utf-8").rpartition(")")[2].split()[START_TICKS])
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return _seen
    started = time.perf_counter() - age_s
    return started if age_s >= 0 and started <= _seen else _seen
