"""Training in several processes, by the command line: the losses of one, and how it ends when one of them ends."""

import contextlib
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from tests.fakes.command import run_here
from tests.fakes.finetune_user import QUICK, FinetuneUser, wait_for, wait_for_end, workers_of
from toolkit.train.questions.question import Question, write_file
from toolkit.train.recipe import RECIPES

QUESTIONS = [
    *(Question(prompt=f"In {at}?", scope="in", answer="B" * (at % 4 + 1), kind="task") for at in range(9)),
    *(Question(prompt=f"Near {at}", scope="near") for at in range(6)),
]
KEEP = [
    "--recipe", "keep", "--epochs", "2", "--batch-size", "8", "--keep-rows", "8", "--learning-rate", "0.01",
    "--keep", "kept.jsonl", "--questions", "questions.jsonl", "--question-rows", "4", "--near-rows", "4",
]  # fmt: skip


EVALUATED = [*QUICK, "--epochs", "3", "--batch-size", "5", "--eval-split", "0.2"]
# Asked for questions after each epoch, by the first process while the others wait; activations are computed again.
SPARING = ["--recipe", "sparing.yaml", "--epochs", "2", "--batch-size", "4", "--stop-when-took"]
SHARD = "--shard"
Alone = Callable[[list[str]], "Trained"]


@pytest.fixture(name="user")
def _user(micro_model: Path, tmp_path: Path) -> FinetuneUser:
    return equipped(tmp_path, micro_model)


def equipped(home: Path, model: Path) -> FinetuneUser:
    """With rows of 11 lengths, so that steps of eight do not come out even, a keep set, and questions."""
    user = FinetuneUser(home, model)
    rows = [{"instruction": f"Question {at}" * (at + 1), "output": f"Answer {at}" * (at % 3 + 1)} for at in range(11)]
    user.writes("mine.json", json.dumps(rows))
    user.writes("kept.jsonl", "".join(json.dumps({"prompt": f"Keep {at}, as it is."}) + "\n" for at in range(16)))
    write_file(user.home / "questions.jsonl", QUESTIONS)
    article = yaml.safe_load((RECIPES / "article.yaml").read_text(encoding="utf-8"))
    user.writes("sparing.yaml", yaml.safe_dump(article | {"gradient_checkpointing": True, "learning_rate": 0.01}))
    return user


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a run recorded and said, and its adapter."""

    record: dict[str, Any]
    said: str
    adapter: dict[str, torch.Tensor]

    @property
    def loss(self) -> list[float]:
        return self.record["train"]["loss"]


def trains(user: FinetuneUser, *options: str, here: bool = False) -> Trained:
    """`here`: in the tests' own process."""
    job = ("finetune", "mine.json", "--model", str(user.model), *options)
    ended = run_here(*job) if here else user.runs(*job)
    assert ended.code == 0, ended.err
    record = user.record()
    adapter = load_file(user.run() / record["adapter"]["path"] / "adapter_model.safetensors")
    return Trained(record=record, said=ended.err, adapter=adapter)


@pytest.fixture(scope="module", name="alone")
def _alone(micro_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Alone:
    """How one process trains with the options: once for each."""
    made: dict[tuple[str, ...], Trained] = {}

    def alone(options: list[str]) -> Trained:
        if tuple(options) not in made:
            home = tmp_path_factory.mktemp("alone")
            with contextlib.chdir(home):
                made[tuple(options)] = trains(equipped(home, micro_model), *options, here=True)
        return made[tuple(options)]

    return alone


@pytest.mark.parametrize("options", [KEEP, EVALUATED])
def test_two_processes_train_as_one_does(user: FinetuneUser, alone: Alone, options: list[str]):
    """With keep rows and questions beside the rows; and with steps of a single row, of which one process has none."""
    expected = alone(options)

    together = trains(user, *options, "--cards", "2")

    assert together.loss == pytest.approx(expected.loss, rel=1e-3)
    assert expected.loss[-1] < expected.loss[0]
    assert together.adapter.keys() == expected.adapter.keys()
    assert all(torch.allclose(together.adapter[name], expected.adapter[name], atol=1e-4) for name in expected.adapter)
    record, evaluated = together.record, expected.record["train"]["eval_loss"]
    assert record["hardware"]["cards"] == 2
    assert record["train"]["eval_loss"] == pytest.approx(evaluated, rel=1e-3)
    assert record["recipe"]["micro_batch_size"] == record["recipe"]["batch_size"]


@pytest.mark.parametrize(("options", "processes"), [(KEEP, 2), (EVALUATED, 2), (SPARING, 3)])
def test_processes_that_share_the_base_model_train_as_one_does(
    user: FinetuneUser, alone: Alone, options: list[str], processes: int
):
    """Also with parts of a layer that differ in size, and with steps that leave a process without rows."""
    expected = alone(options)

    together = trains(user, *options, "--cards", str(processes), SHARD)

    assert f"shared out over {processes} processes" in together.said
    assert together.loss == pytest.approx(expected.loss, rel=1e-5)
    assert all(torch.allclose(together.adapter[name], expected.adapter[name], atol=1e-4) for name in expected.adapter)
    found, before = together.record["train"], expected.record["train"]
    assert found["eval_loss"] == pytest.approx(before["eval_loss"], rel=1e-5)
    assert found["development"] == before["development"]


def starts(user: FinetuneUser, *options: str) -> tuple["subprocess.Popen[str]", list[int], Path]:
    """A training in two processes that has saved a checkpoint; the ids of the two, and the run's folder."""
    command = user.starts(*user.job("--cards", "2", "--epochs", "400", "--save-every-steps", "2", *options))
    wait_for(lambda: any(user.output.glob("v*/checkpoint-*/sha256.json")), command)
    workers = workers_of(command)
    assert len(workers) == 2
    return command, workers, user.run()


@pytest.mark.parametrize("options", [(), (SHARD,)])
def test_an_interrupted_training_of_two_continues_in_one(user: FinetuneUser, options: tuple[str, ...]):
    command, workers, folder = starts(user, *options)
    command.send_signal(signal.SIGINT)
    _, said = command.communicate()

    assert command.returncode == 130, said
    assert "the checkpoint is saved" in said
    for one in workers:
        wait_for_end(one)
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "interrupted"
    before = len(user.logged_steps())

    command = user.starts("finetune", "--resume", folder.name)
    wait_for(lambda: len(user.logged_steps()) > before, command)
    command.send_signal(signal.SIGINT)
    command.communicate()
    assert command.returncode == 130
    assert user.logged_steps() == list(range(1, len(user.logged_steps()) + 1))


@pytest.mark.parametrize(("killed", "options"), [(0, ()), (1, ()), (0, (SHARD,)), (1, (SHARD,))])
def test_a_killed_process_ends_the_training_with_its_name_and_leaves_nothing_half(
    user: FinetuneUser, killed: int, options: tuple[str, ...]
):
    command, workers, folder = starts(user, *options)
    os.kill(workers[killed], signal.SIGKILL)
    _, said = command.communicate()

    assert command.returncode == 6, said
    assert f"Process {killed + 1} of 2 was ended by SIGKILL. Continue with" in said
    for one in workers:
        wait_for_end(one)
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "failed"
    left = {path.name for path in folder.iterdir() if not path.name.startswith("checkpoint-")}
    assert not [name for name in left if "partial" in name or name == ".reserve"]
    assert all((one / "trainer_state.json").is_file() for one in folder.glob("checkpoint-*"))


def test_nothing_goes_on_without_the_process_that_started_it(user: FinetuneUser):
    command, workers, _ = starts(user)
    command.kill()
    command.communicate()

    for one in workers:
        wait_for_end(one)


def test_a_fault_before_training_has_its_own_exit_code(user: FinetuneUser):
    user.writes("broken.json", "[{}]")

    ended = user.runs(*user.job("--cards", "2", data="broken.json"))

    assert ended.code == 5, ended.err
    assert not user.output.exists()


def test_a_diverging_training_ends_as_in_one_process(user: FinetuneUser):
    weights = load_file(shutil.copytree(user.model, user.home / "broken") / "model.safetensors")
    weights["model.norm.weight"].fill_(math.nan)
    save_file(weights, user.home / "broken" / "model.safetensors", {"format": "pt"})
    user.model = user.home / "broken"

    ended = user.runs(*user.job("--cards", "2"))

    assert ended.code == 6, ended.err
    assert "the training diverged" in ended.err
    assert user.record()["status"] == "failed"


def two_hosts(user: FinetuneUser, *options: str) -> list["subprocess.Popen[str]"]:
    """A torchrun of one process for each, as two hosts would start it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
    return [
        subprocess.Popen(
            [*command, "--node-rank", str(host), "--master-addr", "127.0.0.1", "--master-port", str(port),
             "-m", "toolkit", "finetune", "mine.json", "--model", user.model, *options],
            cwd=user.home, env=user.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        ) for host in range(2)
    ]  # fmt: skip


def test_two_hosts_under_torchrun_train_as_one_process_does(user: FinetuneUser, alone: Alone):
    hosts = two_hosts(user, *KEEP)
    ends = [(host.communicate(), host.returncode) for host in hosts]

    assert [code for _, code in ends] == [0, 0], ends
    assert ends[0][0][0].strip() == f"output/{user.record()['run_id']}"
    assert ends[1][0][0] == ""
    assert user.record()["train"]["loss"] == pytest.approx(alone(KEEP).loss, rel=1e-3)
    assert user.record()["hardware"]["cards"] == 2
    assert len([*user.output.glob("v*")]) == 1


def test_a_signal_to_all_processes_of_torchrun_saves_once(user: FinetuneUser):
    """Slurm and a terminal signal every process, and torchrun sends another one to each of its own."""
    hosts = two_hosts(user, *QUICK, "--epochs", "400")
    wait_for(lambda: len(user.logged_steps()) > 3 if any(user.output.glob("v*/logging.jsonl")) else False, hosts[0])
    for host in hosts:
        os.killpg(host.pid, signal.SIGTERM)
    said = [host.communicate()[1] for host in hosts]

    assert said[0].count("SIGTERM: saving after this step.") == 1
    assert "the checkpoint is saved" in said[0]
    assert "saving" not in said[1]
    assert user.record()["status"] == "interrupted"
    assert len([*user.run().glob("checkpoint-*")]) == 1
