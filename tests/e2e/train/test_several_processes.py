"""The keep recipe in several processes: two train as one does, at the same effective batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.train.questions.question import Question, write_file

QUESTIONS = [
    *(Question(prompt=f"In {at}?", scope="in", answer="B" * (at % 4 + 1), kind="task") for at in range(9)),
    *(Question(prompt=f"Near {at}", scope="near") for at in range(6)),
]
SCRIPT = Path(__file__).with_name("one_of_several.py")


def trained(model: Path, folder: Path, processes: int, kind: str) -> list[dict]:
    """What each process says; eight rows a step, whoever takes them."""
    folder.mkdir()
    write_file(folder / "questions.jsonl", QUESTIONS)
    arguments = ["--standalone", "--nproc_per_node", str(processes), SCRIPT, model, folder, str(8 // processes), kind]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *map(str, arguments)], capture_output=True, text=True,
        check=False, env=os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("kind", ["without", "with-questions"])
def test_two_processes_train_as_one_does_and_end_with_one_adapter(micro_model, tmp_path, kind):
    (alone,) = trained(micro_model, tmp_path / "alone", 1, kind)

    first, second = trained(micro_model, tmp_path / "together", 2, kind)

    assert first["adapter"] == second["adapter"]
    assert first["loss"] == second["loss"] == pytest.approx(alone["loss"], abs=1e-3)
    assert len(alone["loss"]) == 4
    assert alone["loss"][-1] < alone["loss"][0]
