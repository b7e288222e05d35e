"""`toolkit export`: a run's adapter merged into its base, behind the parity gate."""

from pathlib import Path

import click

from toolkit.cli.console import progress, say
from toolkit.export import FORMS, ExportConfig, export


@click.command(
    epilog="Example: toolkit export --to merged", short_help="Write a merged model that answers as the adapter does."
)
@click.argument("run", required=False)
@click.option("--to", "form", type=click.Choice(list(FORMS)), default="merged", show_default=True, help="Format.")
@click.option("--folder", type=click.Path(path_type=Path), default=None, help="Target.  [default: merged/ in the run]")
@click.option("--model", default=None, help="Base model.  [default: the run's own]")
@click.option("--probes", type=click.Path(path_type=Path), default=None, help="Probes of the parity gate.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True, help="Runs.")
@click.option("--force", is_flag=True, help="Replace an earlier export.")
def command(
    run: str | None, form: str, folder: Path | None, model: str | None, probes: Path | None, output: Path, force: bool
) -> None:
    """Merge RUN's adapter into its base model, and print the folder.

    The result is loaded afresh and answers the probes; where it does not answer as base and
    adapter did, the command ends with exit code 7 and the folder is named ….rejected.
    """
    config = ExportConfig(
        run=run, to=form, model=model, folder=folder, probes=probes, output=output, force=force
    )  # fmt: skip
    with progress() as listener:
        exported = export(config, listener=listener)
    parity = exported.parity
    if not exported.fresh:
        say("Already exported from this adapter.")
    ties = f", {parity['near_ties']} part at a near tie" if parity["near_ties"] else ""
    say(f"parity: {parity['same']} of {parity['probes']} answers the same{ties}")
    say(f"largest logit difference: {parity['largest_logit_difference']:.2g} (at most {parity['tolerance']:g})")
    click.echo(exported.folder)
