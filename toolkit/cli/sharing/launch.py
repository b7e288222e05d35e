"""`toolkit launch`: stdout is the file, or the lines, that start a fine-tuning on several hosts."""

import click

from toolkit.cli import finetune
from toolkit.cli.console import notify, show
from toolkit.cli.options import contradiction
from toolkit.core.text import counted
from toolkit.train.cards.kubernetes import Cluster
from toolkit.train.cards.launch import LaunchConfig, launch

EXAMPLES = """\b
Examples:
  $ toolkit launch --print --hosts 2 --cards 8 -- many.jsonl --recipe general --output /shared/output
  $ toolkit launch --slurm --hosts 2 --cards 8 -- many.jsonl --recipe general > job.sbatch
  $ toolkit launch --kubernetes --hosts 2 --cards 8 --image ghcr.io/me/finetune-and-prove:1.0 \\
      --claim results -- mine.json | kubectl create -f -
"""
IN_KUBERNETES = ("kubernetes", "kubernetes-job")


@click.command("launch", epilog=EXAMPLES)
@click.option("--print", "kind", flag_value="print", help="torchrun's lines, one a host.")
@click.option("--slurm", "kind", flag_value="slurm", help="A batch file for sbatch.")
@click.option("--kubernetes", "kind", flag_value="kubernetes", help="A TrainJob of Kubeflow Trainer 2 and its runtime.")
@click.option("--kubernetes-job", "kind", flag_value="kubernetes-job",
              help="An indexed Job and its service, where there is no Kubeflow.")  # fmt: skip
@click.option("--hosts", type=click.IntRange(1, 1024), default=1, show_default=True, help="Hosts.")
@click.option("--cards", type=click.IntRange(1, 64), default=1, show_default=True, help="Cards of each host.")
@click.option("--name", default="finetune", show_default=True, help="The job's name.")
@click.option("--image", default=None, help="Kubernetes: the toolkit's image.")
@click.option("--claim", default=None, help="Kubernetes: the volume claim for the runs; every host mounts it.")
@click.option("--model-image", default=None, help="Kubernetes: an image volume with the base model's files.")
@click.option("--model-claim", default=None, help="Kubernetes: a volume claim with the base model's files.")
@click.argument("arguments", nargs=-1, required=True, metavar="-- DATA [OPTIONS OF FINETUNE]")
def command(
    kind: str | None, hosts: int, cards: int, name: str, image: str | None, claim: str | None, model_image: str | None,
    model_claim: str | None, arguments: tuple[str, ...],
) -> None:  # fmt: skip
    """Write the job that fine-tunes on several hosts.

    After -- come the arguments of `toolkit finetune`, its data set first. It runs on every host, and trains as one
    process would; the run's folder is kept by the first (docs/scale.md). In Kubernetes the base model is the image's
    own unless an option names another, and a data set that is a file here goes along.
    """
    if kind is None:
        raise click.UsageError("Name one of --print, --slurm, --kubernetes and --kubernetes-job.")
    _require_arguments_of_finetune(arguments)
    of_cluster = {"--image": image, "--claim": claim, "--model-image": model_image, "--model-claim": model_claim}
    if kind not in IN_KUBERNETES and (wrong := [option for option, value in of_cluster.items() if value is not None]):
        raise contradiction(f"--{kind}", *wrong)
    cluster = None
    if kind in IN_KUBERNETES:
        if image is None or claim is None:
            raise click.UsageError(f"--{kind} needs --image and --claim.")
        if model_image is not None and model_claim is not None:
            raise click.UsageError("Name the base model with --model-image or with --model-claim.")
        cluster = Cluster(image=image, claim=claim, model_image=model_image, model_claim=model_claim)
    show(launch(LaunchConfig(arguments=arguments, hosts=hosts, cards=cards, name=name, cluster=cluster), kind).rstrip())
    each = f"{counted(hosts, 'host')} with {counted(cards, 'card')}{' each' * (hosts != 1)}"
    notify(f"{each}: {counted(hosts * cards, 'process')}")


def _require_arguments_of_finetune(arguments: tuple[str, ...]) -> None:
    """Raises UsageError for what `finetune` would not take, or would take otherwise in a process among several."""
    if arguments[0].startswith("-") and arguments[0] != "--resume":
        raise click.UsageError("The first argument after -- is the data set.")
    given = finetune.command.make_context("finetune", list(arguments), resilient_parsing=False).params
    if given["cards"] != "1":
        raise click.UsageError("--cards comes before --, for torchrun.")
