"""Writes what starts a fine-tuning on several hosts: torchrun's lines, a Slurm batch file, or Kubernetes manifests.

On each host torchrun starts a process a card, and each of them runs the same `toolkit finetune`.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from toolkit.core.errors import ConfigError
from toolkit.train.cards import kubernetes

MODULE = "toolkit"
PORT = 29500  # torchrun's own default
NAME = re.compile(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?")  # of a Kubernetes service, with room for a pod's number
SLURM = """#!/bin/bash
# Several hosts with a process a card, by toolkit launch. Run it with: sbatch FILE
# The folder of the data and of --output has to be one that all hosts share.
#SBATCH --job-name={name}
#SBATCH --nodes={hosts}
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node={cards}
#SBATCH --output={name}-%j.log
# Slurm then asks torchrun to end two minutes before the time is over: the training saves, and --resume continues it.
#SBATCH --signal=TERM@120
set -eu
PET_MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export PET_MASTER_ADDR PET_MASTER_PORT={port} PET_NNODES={hosts} PET_NPROC_PER_NODE={cards}
# Only the task itself knows its number.
exec srun --kill-on-bad-exit=1 bash -c {task}
"""


@dataclass(frozen=True, kw_only=True)
class LaunchConfig:
    """`arguments`: those of `toolkit finetune`, its data set first; `cluster`: for Kubernetes."""

    arguments: tuple[str, ...]
    hosts: int
    cards: int
    name: str = "finetune"
    cluster: kubernetes.Cluster | None = None

    @property
    def finetune(self) -> tuple[str, ...]:
        return ("-m", MODULE, "finetune", *self.arguments)


def launch(config: LaunchConfig, kind: str) -> str:
    """The text, of a kind in FORMS. Raises ConfigError."""
    if not NAME.fullmatch(config.name):
        raise ConfigError(
            f"{config.name!r} cannot name a job: up to 50 lower-case letters, digits and hyphens, a letter first.",
            next="Name another with --name.",
        )
    return FORMS[kind](config)


def torchrun_lines(config: LaunchConfig) -> str:
    """A line a host."""
    lines = []
    for host in range(config.hosts):
        options = {
            "--nnodes": config.hosts, "--node-rank": host, "--nproc-per-node": config.cards,
            "--master-addr": "$FIRST_HOST", "--master-port": PORT,
        }  # fmt: skip
        words = " ".join(f"{name} {value}" for name, value in options.items())
        lines.append(f"python -m torch.distributed.run {words} {shlex.join(config.finetune)}")
    return "# FIRST_HOST: the name or address of the host with --node-rank 0\n" + "\n".join(lines) + "\n"


def slurm_file(config: LaunchConfig) -> str:
    task = f'PET_NODE_RANK="$SLURM_NODEID" exec python -m torch.distributed.run {shlex.join(config.finetune)}'
    return SLURM.format(
        name=config.name, hosts=config.hosts, cards=config.cards, port=PORT, task=shlex.quote(task)
    )  # fmt: skip


def train_job(config: LaunchConfig) -> str:
    return kubernetes.as_yaml(kubernetes.train_job(_for_cluster(config)))


def indexed_job(config: LaunchConfig) -> str:
    return kubernetes.as_yaml(kubernetes.indexed_job(_for_cluster(config), PORT))


def _for_cluster(config: LaunchConfig) -> kubernetes.Work:
    assert config.cluster is not None
    return kubernetes.work(
        config.cluster, job=config.name, hosts=config.hosts, cards=config.cards, arguments=config.arguments
    )


FORMS: Mapping[str, Callable[[LaunchConfig], str]] = {
    "print": torchrun_lines, "slurm": slurm_file, "kubernetes": train_job, "kubernetes-job": indexed_job,
}  # fmt: skip
