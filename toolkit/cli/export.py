"""`toolkit export`: stdout is the folder of the exported files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from toolkit.cli.console import notify, progress, show
from toolkit.cli.options import FORCE, GATE_PROBES, OUTPUT, RUN, RUN_MODEL, contradiction
from toolkit.export.export import export
from toolkit.export.formats import FORMATS, KINDS
from toolkit.export.formats.base import ExportConfig


@click.command(
    epilog="Example: toolkit export --to gguf --quantization q8_0",
)
@RUN
@click.option(
    "--to",
    "format_name",
    type=click.Choice(list(FORMATS), case_sensitive=False),
    default="merged",
    show_default=True,
    help="Format.",
)
@click.option(
    "--quantization",
    "--quantisation",
    "quantisation",
    type=click.Choice(list(dict.fromkeys(kind for kinds in KINDS.values() for kind in kinds)), case_sensitive=False),
    default=None,
    help=f"For {', '.join(name for name, kinds in KINDS.items() if len(kinds) > 1)}.  "
    "[default: f16 for gguf and ollama, nf4 for bnb]",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=None,
    help="Target.  [default: in the run, named after the format]",
)
@RUN_MODEL
@GATE_PROBES
@OUTPUT
@FORCE
@click.option("--unchecked", is_flag=True, help="Write GGUF without the parity gate; export.json records that.")
def command(
    run: str | None, format_name: str, quantisation: str | None, folder: Path | None, model: str | None,
    probes: Path | None, output: Path, force: bool, unchecked: bool,
) -> None:  # fmt: skip
    """Export a run to a format that other programs load.

    Writes RUN's adapter merged into its base model, or the adapter with its model card (--to adapter), and prints the
    folder.

    The files are loaded again and answer the probes; if they do not answer as base model and
    adapter do, the exit code is 7 and the folder is named ….rejected.
    docs/export.md states how much the answers of each format may differ.
    """
    if unchecked and probes is not None:
        raise contradiction("--unchecked", "--probes")
    config = ExportConfig(
        run=run, to=format_name, model=model, folder=folder, probes=probes, output=output, force=force,
        quantisation=quantisation, unchecked=unchecked,
    )  # fmt: skip
    with progress() as listener:
        result = export(config, listener=listener, notify=notify)
    if not result.fresh:
        notify("Already exported from this adapter.")
    for line in summary_lines(result.parity):
        notify(line)
    show(result.folder)


def summary_lines(parity: Mapping[str, Any]) -> list[str]:
    """What the gate found, for the terminal."""
    if parity.get("checked") is False:
        return ["parity: not checked"]
    ties = f", {parity['near_ties']} differ at a near tie" if parity.get("near_ties") else ""
    by = f" (by {parity['by']})" if "by" in parity else ""
    lines = [f"parity: {parity['same']} of {parity['probes']} answers the same{ties}{by}"]
    if "kept" in parity:
        strayed = f", markers out of place: {parity['strayed']}" if parity["strayed"] else ""
        lines.append(f"learned answers kept: {parity['kept']} of {parity['passed']}{strayed}")
    allowed = parity["tolerance"]
    bound = f" (at most {allowed:g})" if isinstance(allowed, float) else ""
    return [*lines, f"largest logit difference: {parity['largest_logit_difference']:.2g}{bound}"]
