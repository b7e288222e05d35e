"""`image verify`: prints one line per check; exits with 4 if one fails."""

from pathlib import Path

import click

from image.cli.console import notify, progress, show
from image.core.errors import WeightsError
from image.core.project import DEFAULT_MODEL, local_reference
from image.verify.verify import verify


@click.command("verify")
@click.argument("reference", required=False)
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Without REFERENCE: the image built with it.")
@click.option("--policy", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Demand that one of its keys has signed provenance and bill of materials.")  # fmt: skip
@click.pass_context
def command(ctx: click.Context, reference: str | None, model: str, policy: Path | None) -> None:
    """Check the image REFERENCE: digest, labels, weights against the lock, licence, and `toolkit verify` inside it.

    Of an image in a registry also the provenance and the bill of materials that are attached to it: both must be what
    the image itself says and has. An image that the engine does not have is pulled. Exits with 4 if any check fails.
    """
    ok = True
    with progress() as listener:
        for finding in verify(reference or local_reference(model), listener=listener, notify=notify, policy=policy):
            show(f"{'ok ' if finding.ok else 'BAD'}  {finding.what}")
            ok = ok and finding.ok
    if not ok:
        ctx.exit(WeightsError.exit_code)
