"""Commands killed at random moments, full disks, and comparisons at once: no half result looks complete."""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.command import ROOT, run_here
from tests.fakes.made_run import make_run
from toolkit.core.files import data_folder
from toolkit.runs.comparison import read_comparison

PROBES = "schema_version: 1\nprobes:\n  - {{id: p{number}, group: out-of-scope, prompt: p{number} says hello}}\n"
KINDS = ("kills", "full_disks")
IS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module", name="interrupted")
def _interrupted() -> dict:
    """Eight of each, in copies of one home; `python bench/interruptions.py --kills 200` does more."""
    full_disks = "8" if IS_ROOT else "0"
    command = [sys.executable, ROOT / "bench" / "interruptions.py", "--kills", "8", "--full-disks", full_disks]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=540)
    assert done.stdout, done.stderr
    found: dict = json.loads(done.stdout)
    assert done.returncode == any(found[kind]["faults"] for kind in KINDS), done.stderr
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_half_is_left_by(interrupted: dict, kind: str) -> None:
    if kind == "full_disks" and not IS_ROOT:
        pytest.skip("a disk of its own is a tmpfs, and mounting one needs root")
    assert (interrupted[kind]["interruptions"], interrupted[kind]["faults"]) == (8, [])
    assert set(interrupted[kind]["by_command"].values()) == {1}  # each of the eight commands once


def _compare(output: Path, number: int) -> None:
    probes = output.parent / f"{number}.yaml"
    probes.write_text(PROBES.format(number=number))
    done = run_here("compare", "v0", "--probes", probes, "--max-new-tokens", 2, "--output", output)
    os._exit(0 if done.code in {0, 20, 21, 22} else 1)


def test_comparisons_of_one_run_at_once_all_succeed_and_leave_one_report(tmp_path: Path) -> None:
    shutil.copytree(data_folder() / "tiny-qwen2", tmp_path / "base")
    run = make_run(tmp_path / "output", tmp_path / "base", seed=2, strength=0.05)
    context = multiprocessing.get_context("forkserver")  # processes of their own, whose libraries are imported once
    context.set_forkserver_preload(["torch", "transformers", "peft"])
    children = [context.Process(target=_compare, args=(tmp_path / "output", number)) for number in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(300)

    assert [child.exitcode for child in children] == [0, 0, 0]
    record = read_comparison(run)
    assert record is not None
    probe = record.probes[0].id
    for name in ("report.md", "report.html", "report.junit.xml"):
        assert probe in (run / "compare" / name).read_text(encoding="utf-8"), name
    assert {path.name for path in run.iterdir()} == {"run.json", "checkpoint-1", "compare"}
