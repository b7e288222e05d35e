"""Garbage collection during the imports, and when the process started."""

import gc
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolkit.core import startup
from toolkit.core.startup import process_started

PRINT_AGE = """
import time
time.sleep(0.3)
from toolkit.core.startup import process_started
print(time.perf_counter() - process_started())
"""


@pytest.fixture(autouse=True)
def _default_collector(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(startup.atexit, "register", lambda _: None)
    gc.set_threshold(*startup.DEFAULT_THRESHOLDS)
    yield
    gc.set_threshold(*startup.DEFAULT_THRESHOLDS)
    gc.unfreeze()


def test_collections_are_rare_until_the_imports_are_done():
    startup.relax_gc()
    assert gc.get_threshold() == startup.RELAXED_THRESHOLDS

    startup.restore_gc()
    assert gc.get_threshold() == startup.DEFAULT_THRESHOLDS
    assert gc.get_freeze_count() > 0


def test_a_second_restore_freezes_nothing_so_that_models_stay_collectable():
    startup.relax_gc()
    startup.restore_gc()
    gc.unfreeze()

    startup.restore_gc()

    assert gc.get_freeze_count() == 0


def test_without_relax_gc_nothing_is_frozen():
    startup.restore_gc()

    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == startup.DEFAULT_THRESHOLDS


def test_a_process_started_before_it_imported_anything():
    before = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", PRINT_AGE], capture_output=True, text=True, check=True)

    age_s = float(done.stdout)
    assert 0.28 <= age_s <= time.perf_counter() - before + 0.02


@pytest.mark.parametrize(
    "content", ["", "1 (toolkit) R 1", "1 (a b) " + "x " * 40, "1 (later) " + f"{10**12} " * 40, None]
)
def test_without_a_start_time_from_the_system_the_process_starts_at_this_import(tmp_path: Path, content: str | None):
    status = tmp_path / "stat"
    if content is not None:
        status.write_text(content)

    started = process_started(status)

    assert started == process_started(status) <= time.perf_counter()


# Forks, ends without waiting, and leaves the other one to sleep.
ORPHAN = """
import os, signal, sys, time
from toolkit.core.startup import end_with

parent, (ready, readied) = os.getpid(), os.pipe()
if os.fork() == 0:
    end_with(parent, signal.SIGKILL)
    os.write(readied, b"1")
    time.sleep(60)
    print("outlived it")
os.read(ready, 1)
"""


def test_a_forked_process_ends_with_the_one_that_it_was_forked_from():
    """Its copy of stdout would be open for a minute, which is waited for."""
    done = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True, check=True, timeout=50)

    assert done.stdout == ""


BESIDE = """
import atexit, os, signal, time
from toolkit.core.startup import fork_beside

atexit.register(print, "the end", flush=True)
signal.signal(signal.SIGTERM, lambda *_: print("a handler", flush=True))

def work():
    os.kill(os.getpid(), signal.SIGINT)  # that of the terminal, which is this process's
    print("worked", flush=True)
    HOW

os.waitpid(fork_beside(work), 0)
"""


@pytest.mark.parametrize("how", ["return", "os.kill(os.getpid(), signal.SIGTERM)", "raise SystemExit(1)", "1 / 0"])
def test_work_beside_runs_nothing_else_of_its_process(how: str):
    code = BESIDE.replace("HOW", how)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50)

    assert (done.stdout, done.stderr) == ("worked\nthe end\n", "")


def test_a_process_whose_parent_is_gone_already_ends_at_once():
    code = "from toolkit.core.startup import end_with; end_with(-1, 15); print('went on')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == ""
