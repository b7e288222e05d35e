"""`image publish`: prints the reference with its digest, as others will pull it."""

from pathlib import Path

import click

from image.cli.console import notify, progress, show
from image.core.project import DEFAULT_MODEL, NAME, local_reference
from image.share.image_evidence import SigningKey
from image.share.publish import PublishConfig, publish

EXAMPLES = """\b
Examples:
  $ python -m image publish ghcr.io/me
  $ python -m image publish ghcr.io/me --tag 1.0 --with v3
"""


@click.command("publish", epilog=EXAMPLES)
@click.argument("registry")
@click.option("--tag", help="The tag.  [default: the base model's name]")
@click.option("--image", help="The image.  [default: the one built with --model]")
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="The base model that it was built with.")
@click.option("--with", "run", metavar="RUN", help="Add this run's adapter and report, and publish as TAG-RUN.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), default="output", show_default=True,
              help="The folder with the runs, and for published.json.")  # fmt: skip
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Sign what is attached, as toolkit attest does.  [default: it is attached unsigned]")  # fmt: skip
@click.option("--new-key", is_flag=True, help="Make the key pair first.")
@click.option(
    "--tries", type=click.IntRange(1), default=5, show_default=True, help="Attempts, if the connection fails."
)
def command(
    registry: str,
    tag: str | None,
    image: str | None,
    model: str,
    run: str | None,
    output: Path,
    key: Path | None,
    new_key: bool,
    tries: int,
) -> None:
    """Push the image to REGISTRY (such as ghcr.io/me), confirm its digest, and attach provenance and bill of materials.

    Layers that the registry already has are not sent again, even after a failed connection.
    """
    target = f"{registry.rstrip('/')}/{NAME}:{tag or model}" + (f"-{run}" if run else "")
    if new_key and key is None:
        raise click.UsageError("--new-key needs --key.")
    config = PublishConfig(
        image=image or local_reference(model), target=target, output=output, run=run, tries=tries,
        key=None if key is None else SigningKey(path=key, new=new_key),
    )  # fmt: skip
    with progress() as listener:
        record = publish(config, notify=notify, listener=listener)
    layers = f"{record.layers} layer{'s' * (record.layers != 1)}"
    notify(
        f"{record.layers_sent} of {layers} sent, {record.bytes_sent / 1e6:.1f} MB "
        f"in {record.seconds:.0f} s; the registry confirms the digest"
    )
    show(f"{record.reference}@{record.digest}")
