"""What takes long to make is made once for all processes that test, where TEST_RUNS names a folder, as in CI."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def made_once(name: str) -> Iterator[Path | None]:
    """Where it is kept, or to be kept; while another process makes it, this waits. None where nothing is kept."""
    shared = os.environ.get("TEST_RUNS")
    if shared is None:
        yield None
        return
    with (Path(shared) / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(shared) / name
