"""Two cards train as one does, each with captured steps; a card whose process is killed ends the training."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.fakes.finetune_user import FinetuneUser, wait_for, workers_of
from toolkit.core.files import data_folder

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two cards"),
]
# In float32, so that losses differ by the order of sums only.
OPTIONS = ("--recipe", "float32.yaml", "--epochs", "4")


@pytest.fixture(name="user")
def _user(tmp_path: Path) -> FinetuneUser:
    from toolkit.train.recipe import RECIPES

    user = FinetuneUser(tmp_path, data_folder() / "tiny-qwen2")
    recipe = (RECIPES / "tiny.yaml").read_text(encoding="utf-8")
    user.writes("float32.yaml", "".join(
        "precision: float32\n" if line.startswith("precision:") else f"{line}\n" for line in recipe.splitlines()
    ))  # fmt: skip
    return user


def command(user: FinetuneUser, *options: str) -> list[str]:
    return ["finetune", "self_cognition.json", "--model", str(user.model), *OPTIONS, *options]


@pytest.mark.parametrize("kept", [(), ("--keep-weight", "0")])
def test_two_cards_train_as_one_does(user: FinetuneUser, kept: tuple[str, ...]):
    for cards in ("1", "2"):
        ended = user.runs(*command(user, "--cards", cards, *kept))
        assert ended.code == 0, ended.err

    one, two = user.record(0), user.record(1)
    assert two["train"]["loss"] == pytest.approx(one["train"]["loss"], rel=1e-3)
    assert (two["hardware"]["cards"], two["train"]["cuda_graph"], two["train"]["cuda_graph_refused"]) == (2, True, None)


def test_a_killed_card_ends_the_training(user: FinetuneUser):
    child = user.starts(*command(user, "--cards", "2", "--epochs", "400", "--save-every-steps", "5"))
    wait_for(lambda: any(user.output.glob("v*/checkpoint-*/sha256.json")), child)
    os.kill(workers_of(child)[1], signal.SIGKILL)
    began = time.monotonic()
    _, err = child.communicate()

    print(f"ended after {time.monotonic() - began:.1f} s", file=sys.stderr)
    assert child.returncode == 6
    assert "Process 2 of 2 was ended by SIGKILL" in err
    assert json.loads((user.run() / "run.json").read_text())["status"] == "failed"
