"""When a process began, as the system tells it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolkit.core.startup import process_started

ASKING = """
import time
time.sleep(0.3)
from toolkit.core.startup import process_started
print(time.perf_counter() - process_started())
"""


def test_a_process_began_before_it_imported_anything():
    before = time.perf_counter()
    told = subprocess.run([sys.executable, "-c", ASKING], capture_output=True, text=True, check=True)

    age_s = float(told.stdout)
    assert 0.28 <= age_s <= time.perf_counter() - before + 0.02


@pytest.mark.parametrize(
    "told", ["", "1 (toolkit) R 1", "1 (a b) " + "x " * 40, "1 (later) " + f"{10**12} " * 40, None]
)
def test_where_the_system_does_not_tell_it_began_when_the_module_was_read(tmp_path: Path, told: str | None):
    status = tmp_path / "stat"
    if told is not None:
        status.write_text(told)

    started = process_started(status)

    assert started == process_started(status) <= time.perf_counter()
