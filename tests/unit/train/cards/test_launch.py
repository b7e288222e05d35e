"""What starts a training on several hosts: torchrun's lines and Slurm's batch file."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from toolkit.cli.sharing.launch import command
from toolkit.core.errors import ConfigError
from toolkit.train.cards.launch import LaunchConfig, launch

ARGUMENTS = ("my data.json", "--system", "You are $HOME's.")


def config(**changed: object) -> LaunchConfig:
    return LaunchConfig(**{"arguments": ARGUMENTS, "hosts": 2, "cards": 4, **changed})


def test_each_host_has_a_line_with_its_number_and_the_arguments_as_they_were_given():
    first, *lines = launch(config(), "print").splitlines()

    assert first.startswith("# FIRST_HOST")
    words = [shlex.split(line) for line in lines]
    assert [one[one.index("--node-rank") + 1] for one in words] == ["0", "1"]
    assert [one[one.index("--nproc-per-node") + 1] for one in words] == ["4", "4"]
    assert all(one[-5:] == ["toolkit", "finetune", *ARGUMENTS] for one in words)


def test_slurm_starts_a_torchrun_a_host_that_knows_its_number_and_the_first_host(tmp_path: Path):
    """Run by bash, with programs in the place of Slurm's and Python's that say how they were called."""
    for name, text in {
        "scontrol": "echo node7; echo node8",
        "srun": 'shift; SLURM_NODEID=1 exec "$@"',
        "python": 'env | grep ^PET_ | sort; printf "%s\\n" "$@"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    batch = launch(config(name="of-mine"), "slurm")

    done = subprocess.run(
        ["bash"], input=batch, capture_output=True, text=True, check=True,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_NODELIST": "node[7-8]"},
    )  # fmt: skip

    assert {"#SBATCH --nodes=2", "#SBATCH --gpus-per-node=4", "#SBATCH --job-name=of-mine"} <= set(batch.splitlines())
    assert done.stdout.splitlines() == [
        "PET_MASTER_ADDR=node7", "PET_MASTER_PORT=29500", "PET_NNODES=2", "PET_NODE_RANK=1", "PET_NPROC_PER_NODE=4",
        "-m", "torch.distributed.run", "-m", "toolkit", "finetune", *ARGUMENTS,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["", "My job", "-a", "a" * 60])
def test_a_name_that_a_cluster_would_refuse_is_refused(name: str):
    with pytest.raises(ConfigError, match="cannot name a job"):
        launch(config(name=name), "print")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--hosts", "2", "--", "a.json"], "Name one of --print"),
        (["--print", "--", "a.json", "--epoch", "3"], "No such option"),
        (["--print", "--", "--epochs", "3"], "The first argument after -- is the data set"),
        (["--print", "--", "a.json", "--cards", "2"], "--cards comes before --"),
        (["--kubernetes", "--", "a.json"], "needs --image and --claim"),
    ],
)
def test_what_finetune_or_the_cluster_would_refuse_is_refused_here(arguments: list[str], why: str):
    done = CliRunner().invoke(command, arguments)

    assert done.exit_code == 2
    assert why in done.output
