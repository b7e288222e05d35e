"""`image pull-adapter`: prints the folder, for `toolkit compare --after`."""

from pathlib import Path

import click

from image.cli.console import notify, progress
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
@click.option("--with-rows", is_flag=True, help="Make a run of it, with the rows that are attached: for replay.")
@click.option("--ca-bundle", type=click.Path(path_type=Path), help="A certificate to trust besides Docker's.")
@click.option("--plain-http", is_flag=True, help="Use no TLS, and send no login.  [default on loopback: detected]")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), default="output", show_default=True,
              help="The folder with the runs.")  # fmt: skip
@click.option(
    "--tries", type=click.IntRange(1), default=5, show_default=True, help="Attempts, if the connection fails."
)
def command(
    reference: str, folder: Path | None, with_rows: bool, ca_bundle: Path | None, plain_http: bool, output: Path,
    tries: int,
) -> None:  # fmt: skip
    """Download a published adapter by REFERENCE (REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:…) into a folder.

    Every file is checked against its digest, and the folder appears only when it is complete. Signed evidence that is
    attached to the adapter comes along.
    """
    config = PullAdapterConfig(
        reference=reference, output=output, folder=folder, with_rows=with_rows, ca_bundle=ca_bundle,
        plain_http=plain_http, tries=tries,
    )  # fmt: skip
    with progress() as listener:
        result = pull_adapter(config, notify=notify, listener=listener)
    if not result.downloaded:
        notify("Already there, and every file matches its digest.")
    notify(f"digest: {result.digest}")
    # A line each: what a publisher wrote in one annotation cannot pass for another.
    notify(f"run: {result.run_id}")
    notify(f"verdict when published: {result.verdict}")
    notify(f"base model: {result.base}")
    if result.evidence:
        notify(
            f"signed evidence: {result.evidence}, not checked yet; toolkit verify-evidence FOLDER --policy FILE does"
        )
    click.echo(result.run or result.folder)
