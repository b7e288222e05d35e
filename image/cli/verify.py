"""`image verify`: a line a thing examined on stdout; exit code 0 where all are good, else 4."""

import click

from image.cli.console import progress
from image.core.errors import WeightsError
from image.core.project import DEFAULT_MODEL, local_reference
from image.verify import verify


@click.command("verify")
@click.argument("reference", required=False)
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Without REF: the image built with it.")
@click.pass_context
def command(ctx: click.Context, reference: str | None, model: str) -> None:
    """Check the image REF: digest, labels, weights against the lock, licence; then `toolkit verify` inside it, offline.

    An image that the engine does not have is pulled. Exits with 4 when anything is not as it should be.
    """
    good = True
    with progress() as listener:
        for finding in verify(reference or local_reference(model), listener=listener):
            click.echo(f"{'ok ' if finding.good else 'BAD'}  {finding.what}")
            good = good and finding.good
    if not good:
        ctx.exit(WeightsError.exit_code)
