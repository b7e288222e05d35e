"""`image publish-adapter`: prints the reference with its digest, as others will pull it."""

from pathlib import Path

import click

from image.cli.console import notify, progress, show
from image.core.project import NAME
from image.share.publish_adapter import PublishAdapterConfig, publish_adapter

EXAMPLES = """\b
Examples:
  $ python -m image publish-adapter ghcr.io/me
  $ python -m image publish-adapter ghcr.io/me --run v3 --tag 1.0
"""


@click.command("publish-adapter", epilog=EXAMPLES)
@click.argument("registry")
@click.option("--run", default="latest", show_default=True, help="The run whose adapter to push.")
@click.option("--tag", help="The tag.  [default: the run's full name]")
@click.option("--name", default=f"{NAME}-adapter", show_default=True, help="The name in the registry.")
@click.option("--even-if-failed", is_flag=True, help="Push even if the verdict failed or the run was not compared.")
@click.option("--with-rows", is_flag=True, help="Attach rows, log and probes too, so that others can replay the run.")
@click.option("--ca-bundle", type=click.Path(path_type=Path), help="A certificate to trust besides Docker's.")
@click.option("--plain-http", is_flag=True, help="Use no TLS, and send no login.  [default on loopback: detected]")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), default="output", show_default=True,
              help="The folder with the runs, and for published.json.")  # fmt: skip
@click.option(
    "--tries", type=click.IntRange(1), default=5, show_default=True, help="Attempts, if the connection fails."
)
def command(
    registry: str, run: str, tag: str | None, name: str, even_if_failed: bool, with_rows: bool,
    ca_bundle: Path | None, plain_http: bool, output: Path, tries: int,
) -> None:  # fmt: skip
    """Push a run's portable adapter and its report to REGISTRY (such as ghcr.io/me) as an OCI artifact.

    The adapter is the one that "toolkit export RUN --to adapter" wrote. The result is a CNCF ModelPack artifact that
    `oras pull` and model tools can read. The same content gets the same digest, however often it is pushed.
    If "toolkit attest RUN" has signed its verdict, that is attached to it, as an OCI referrer.
    """
    target = f"{registry.rstrip('/')}/{name}" + (f":{tag}" if tag else "")
    config = PublishAdapterConfig(
        target=target, run=run, output=output, even_if_failed=even_if_failed, with_rows=with_rows,
        ca_bundle=ca_bundle, plain_http=plain_http, tries=tries,
    )  # fmt: skip
    with progress() as listener:
        record = publish_adapter(config, notify=notify, listener=listener)
    notify(
        f"{record.layers_sent} of {record.layers} files sent, {record.bytes_sent / 1e6:.1f} MB "
        f"in {record.seconds:.0f} s; the registry confirms the digest"
    )
    show(f"{record.reference}@{record.digest}")
