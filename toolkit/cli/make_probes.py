"""`toolkit make-probes`: stdout is the path of the probe file."""

from pathlib import Path

import click

from toolkit.cli.console import notify, progress, show
from toolkit.cli.options import FORCE, MODEL
from toolkit.compare.make_probes import MakeProbesConfig, make_probes, summary_lines


@click.command("make-probes", epilog="Example:  toolkit make-probes facts.json --reworded")
@click.argument("data")
@click.option(
    "--to", type=click.Path(path_type=Path), default=None,
    help="The probe file.  [default: the data set's name with .probes.yaml]",
)  # fmt: skip
@click.option("--reworded", is_flag=True, help="Add paraphrases written by the base model.")
@MODEL
@FORCE
def command(data: str, to: Path | None, reworded: bool, model: str | None, force: bool) -> None:
    """Write a probe file for a data set, to review and edit.

    It holds DATA's questions, paraphrases of them, and unrelated questions whose answers must not change. compare
    makes the same probes itself when there is no file.
    With --reworded, the base model rephrases the questions too; a paraphrase that it answers differently is dropped.
    Prints the file's path.
    """
    config = MakeProbesConfig(data=data, to=to, model=model, reworded=reworded, force=force)
    with progress() as listener:
        made = make_probes(config, listener=listener)
    for line in summary_lines(made):
        notify(line)
    show(made.path)
