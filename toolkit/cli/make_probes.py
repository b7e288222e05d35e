"""`toolkit make-probes`: a probe file for any data set, to be read and edited."""

from pathlib import Path

import click

from toolkit.cli.console import notify, progress
from toolkit.compare.make_probes import MakeProbesConfig, make_probes, summary_lines


@click.command("make-probes", epilog="Example:  toolkit make-probes facts.json --reworded")
@click.argument("data")
@click.option(
    "--to", type=click.Path(path_type=Path), default=None,
    help="The probe file.  [default: the data set's name with .probes.yaml]",
)  # fmt: skip
@click.option("--reworded", is_flag=True, help="Let the base model put the questions in its own words, too.")
@click.option("--model", default=None, help="Base model: a folder or a name.  [default: qwen2.5-7b-instruct]")
@click.option("--force", is_flag=True, help="Overwrite the file.")
def command(data: str, to: Path | None, reworded: bool, model: str | None, force: bool) -> None:
    """Write a probe file for DATA: its questions, the same in other words, and others that must not move.

    compare makes the same probes by itself where there are none; a file can be read and edited before it counts.
    With --reworded the base model also rewords the questions; what it answers otherwise than the question is dropped.
    Prints the file's path.
    """
    config = MakeProbesConfig(data=data, to=to, model=model, reworded=reworded, force=force)
    with progress() as listener:
        made = make_probes(config, listener=listener)
    for line in summary_lines(made):
        notify(line)
    click.echo(made.path)
