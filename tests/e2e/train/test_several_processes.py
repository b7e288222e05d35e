"""The keep recipe in several processes: two train as one does, at the same effective batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("one_of_several.py")


def trained(model: Path, folder: Path, processes: int) -> list[dict]:
    """What each process says; eight rows a step, whoever takes them."""
    folder.mkdir()
    arguments = ["--standalone", "--nproc_per_node", str(processes), SCRIPT, model, folder, str(8 // processes)]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *map(str, arguments)], capture_output=True, text=True,
        check=False, env=os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_two_processes_train_as_one_does_and_end_with_one_adapter(micro_model, tmp_path):
    (alone,) = trained(micro_model, tmp_path / "alone", 1)

    first, second = trained(micro_model, tmp_path / "together", 2)

    assert first["adapter"] == second["adapter"]
    assert first["loss"] == second["loss"] == pytest.approx(alone["loss"], abs=1e-3)
    assert len(alone["loss"]) == 4
    assert alone["loss"][-1] < alone["loss"][0]
