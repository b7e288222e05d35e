"""`toolkit export`: a run in a form that others take, behind the parity gate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from toolkit.cli.console import notify, progress
from toolkit.export.export import export
from toolkit.export.formats import FORMS, KINDS
from toolkit.export.formats.base import ExportConfig


@click.command(
    epilog="Example: toolkit export --to gguf --quantisation q8_0",
    short_help="Write a model for use elsewhere, which answers as the adapter does.",
)
@click.argument("run", required=False)
@click.option("--to", "form", type=click.Choice(list(FORMS)), default="merged", show_default=True, help="Format.")
@click.option(
    "--quantisation",
    type=click.Choice(list(dict.fromkeys(kind for kinds in KINDS.values() for kind in kinds))),
    default=None,
    help=f"Of {', '.join(KINDS)}.  [default: f16 for gguf and ollama, nf4 for bnb]",
)
@click.option(
    "--folder", type=click.Path(path_type=Path), default=None, help="Target.  [default: in the run, named for it]"
)
@click.option("--model", default=None, help="Base model.  [default: the run's own]")
@click.option("--probes", type=click.Path(path_type=Path), default=None, help="Probes of the parity gate.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True, help="Runs.")
@click.option("--force", is_flag=True, help="Replace an earlier export.")
@click.option("--unchecked", is_flag=True, help="Write GGUF without asking it; export.json then says so.")
def command(
    run: str | None, form: str, quantisation: str | None, folder: Path | None, model: str | None,
    probes: Path | None, output: Path, force: bool, unchecked: bool,
) -> None:  # fmt: skip
    """Write RUN's adapter and base model as one, or the adapter with its card (--to adapter), and print the folder.

    The result is loaded afresh and answers the probes; where it does not answer as base and
    adapter did, the command ends with exit code 7 and the folder is named ….rejected.
    What each format's answers may differ by is in docs/export.md.
    """
    config = ExportConfig(
        run=run, to=form, model=model, folder=folder, probes=probes, output=output, force=force,
        quantisation=quantisation, unchecked=unchecked,
    )  # fmt: skip
    with progress() as listener:
        exported = export(config, listener=listener, notify=notify)
    if not exported.fresh:
        notify("Already exported from this adapter.")
    for line in told(exported.parity):
        notify(line)
    click.echo(exported.folder)


def told(parity: Mapping[str, Any]) -> list[str]:
    """What the gate found, in the words of the terminal."""
    if parity.get("checked") is False:
        return ["parity: unchecked, nobody asked this file anything"]
    ties = f", {parity['near_ties']} part at a near tie" if parity.get("near_ties") else ""
    by = f" (by {parity['by']})" if "by" in parity else ""
    lines = [f"parity: {parity['same']} of {parity['probes']} answers the same{ties}{by}"]
    if "kept" in parity:
        strayed = f", markers out of place: {parity['strayed']}" if parity["strayed"] else ""
        lines.append(f"learned answers kept: {parity['kept']} of {parity['passed']}{strayed}")
    allowed = parity["tolerance"]
    bound = f" (at most {allowed:g})" if isinstance(allowed, float) else ""
    return [*lines, f"largest logit difference: {parity['largest_logit_difference']:.2g}{bound}"]
