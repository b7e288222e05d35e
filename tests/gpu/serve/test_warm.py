"""A warm process on a card: its worker has the weights there, and trains and answers as a new process does."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.command import DATA, Shell

TRAINING = ("--model", "tiny-qwen2", "--recipe", "article", "--epochs", "1")


@pytest.fixture(name="warm")
def _warm(tmp_path: Path) -> Iterator[Shell]:
    tmp_path.chmod(0o700)
    shell = Shell(tmp_path, XDG_RUNTIME_DIR=str(tmp_path), TOOLKIT_WARM="on")
    up = shell.run("toolkit", "up", "--model", "tiny-qwen2", "--card")
    assert up.code == 0, up.err
    yield shell
    shell.run("toolkit", "down")


def test_without_the_option_a_card_is_left_out(tmp_path: Path):
    tmp_path.chmod(0o700)
    refused = Shell(tmp_path, XDG_RUNTIME_DIR=str(tmp_path)).run("toolkit", "up", "--model", "tiny-qwen2")

    assert refused.code == 3
    assert "--card" in refused.err


def test_several_commands_train_and_compare_on_the_card_as_a_new_process_does(warm: Shell):
    cold = Shell(warm.home)
    for name, shell in (("a", warm), ("b", warm), ("c", cold)):
        trained = shell.run("toolkit", "finetune", DATA / "self_cognition.json", *TRAINING, "--output", name)
        assert trained.code == 0, trained.err
        assert trained.err.startswith("warm: pid ") is (shell is warm)
        assert shell.run("toolkit", "compare", "--outside", "0", "--output", name).code in {0, 20, 21, 22}
    runs = [warm.home / name / "latest" for name in "abc"]
    records = [json.loads((run / "run.json").read_text(encoding="utf-8")) for run in runs]

    assert {record["hardware"]["device"] for record in records} == {"cuda"}
    assert records[0]["train"]["loss"] == records[1]["train"]["loss"] == pytest.approx(records[2]["train"]["loss"])
