"""`image doctor`: a finding a line on stdout, faults with reason and remedy; exit code 0, or 1 where one is bad."""

from pathlib import Path

import click

from image.core.project import DEFAULT_MODEL
from image.doctor import Finding, examine

MARKS = {"ok": "ok  ", "note": "note", "bad": "BAD "}


@click.command("doctor")
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="The base model to judge by, or none.")
@click.option("--output", type=click.Path(path_type=Path), default="output", show_default=True, help="For results.")
@click.option("--online", is_flag=True, help="Ask the model hub too.")
@click.pass_context
def command(ctx: click.Context, model: str, output: Path, online: bool) -> None:
    """Examine this host: engine, buildx, card, driver, disk, memory, rights. Nothing is changed.

    Exits with 1 when something will not work, after telling what, why it matters, and what mends it.
    """
    bad = 0
    for finding in examine(model, output, online=online):
        _show(finding)
        bad += finding.state == "bad"
    if bad:
        click.echo(f"{bad} to mend.", err=True)
        ctx.exit(1)


def _show(finding: Finding) -> None:
    click.echo(f"{MARKS[finding.state]}  {finding.what}")
    if finding.state != "ok":
        for line in filter(None, (finding.why, finding.mend)):
            click.echo(f"      {line}")
