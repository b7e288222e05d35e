"""`image verify`: prints one line per check; exits with 4 if one fails."""

import click

from image.cli.console import progress, show
from image.core.errors import WeightsError
from image.core.project import DEFAULT_MODEL, local_reference
from image.verify import verify


@click.command("verify")
@click.argument("reference", required=False)
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Without REFERENCE: the image built with it.")
@click.pass_context
def command(ctx: click.Context, reference: str | None, model: str) -> None:
    """Check the image REFERENCE: digest, labels, weights against the lock, licence, and `toolkit verify` inside it.

    An image that the engine does not have is pulled. Exits with 4 if any check fails.
    """
    ok = True
    with progress() as listener:
        for finding in verify(reference or local_reference(model), listener=listener):
            show(f"{'ok ' if finding.ok else 'BAD'}  {finding.what}")
            ok = ok and finding.ok
    if not ok:
        ctx.exit(WeightsError.exit_code)
