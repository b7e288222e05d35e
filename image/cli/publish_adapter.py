"""`image publish-adapter`: stdout is the reference with its digest, as others will pull it."""

from pathlib import Path

import click

from image.cli.console import progress, say
from image.core.project import NAME
from image.share.publish_adapter import PublishAdapterConfig, publish_adapter

EXAMPLES = """\b
Examples:
  $ python -m image publish-adapter ghcr.io/me
  $ python -m image publish-adapter ghcr.io/me --run v3 --tag 1.0
"""


@click.command("publish-adapter", epilog=EXAMPLES)
@click.argument("registry")
@click.option("--run", default="latest", show_default=True, help="The run whose adapter it is.")
@click.option("--tag", help="The tag.  [default: the run's whole name]")
@click.option("--name", default=f"{NAME}-adapter", show_default=True, help="The name in the registry.")
@click.option("--even-if-failed", is_flag=True, help="Also where the verdict failed or the run was not compared.")
@click.option("--ca-bundle", type=click.Path(path_type=Path), help="A certificate to trust, beside Docker's own.")
@click.option("--plain-http", is_flag=True, help="Without TLS; a login is then not sent.  [loopback: found out]")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), default="output", show_default=True,
              help="Where the runs lie; published.json is kept there.")  # fmt: skip
@click.option("--tries", type=click.IntRange(1), default=5, show_default=True, help="How often, where it breaks off.")
def command(
    registry: str, run: str, tag: str | None, name: str, even_if_failed: bool, ca_bundle: Path | None,
    plain_http: bool, output: Path, tries: int,
) -> None:  # fmt: skip
    """Push a run's portable adapter and its report to REGISTRY (such as ghcr.io/me) as an OCI artifact.

    The adapter is what "toolkit export RUN --to adapter" wrote. It is a CNCF ModelPack artifact: plain
    `oras pull` and model tools take it. The same content has the same digest, however often it is pushed.
    """
    target = f"{registry.rstrip('/')}/{name}" + (f":{tag}" if tag else "")
    config = PublishAdapterConfig(
        target=target, run=run, output=output, even_if_failed=even_if_failed, ca_bundle=ca_bundle,
        plain_http=plain_http, tries=tries,
    )  # fmt: skip
    with progress() as listener:
        published = publish_adapter(config, say=say, listener=listener)
    say(
        f"{published.layers_sent} of {published.layers} files sent, {published.bytes_sent / 1e6:.1f} MB "
        f"in {published.seconds:.0f} s; the registry has the same digest"
    )
    click.echo(f"{published.reference}@{published.digest}")
