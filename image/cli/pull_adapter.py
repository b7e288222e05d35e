"""`image pull-adapter`: stdout is the folder, which `toolkit compare --after` takes."""

from pathlib import Path

import click

from image.cli.console import progress, say
from image.share.pull_adapter import PullAdapterConfig, pull_adapter

EXAMPLES = """\b
Examples:
  $ python -m image pull-adapter ghcr.io/me/finetune-and-prove-adapter:1.0
  $ toolkit compare --after output/pulled/finetune-and-prove-adapter-1.0
"""


@click.command("pull-adapter", epilog=EXAMPLES)
@click.argument("reference")
@click.option("--to", "folder", type=click.Path(path_type=Path),
              help="The folder to write.  [default: pulled/NAME-TAG in the output folder]")  # fmt: skip
@click.option("--ca-bundle", type=click.Path(path_type=Path), help="A certificate to trust, beside Docker's own.")
@click.option("--plain-http", is_flag=True, help="Without TLS; a login is then not sent.  [loopback: found out]")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), default="output", show_default=True,
              help="Where the runs lie.")  # fmt: skip
@click.option("--tries", type=click.IntRange(1), default=5, show_default=True, help="How often, where it breaks off.")
def command(
    reference: str, folder: Path | None, ca_bundle: Path | None, plain_http: bool, output: Path, tries: int
) -> None:
    """Fetch a published adapter by REFERENCE (REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:…) into a folder.

    Every file is held against its digest, and the folder appears only when it is whole.
    """
    config = PullAdapterConfig(
        reference=reference, output=output, folder=folder, ca_bundle=ca_bundle, plain_http=plain_http, tries=tries
    )  # fmt: skip
    with progress() as listener:
        pulled = pull_adapter(config, say=say, listener=listener)
    if not pulled.fresh:
        say("It lay there already, all as its digest says.")
    say(f"digest: {pulled.digest}")
    say(f"run: {pulled.run_id}; verdict where it was made: {pulled.verdict}; base model: {pulled.base}")
    click.echo(pulled.folder)
