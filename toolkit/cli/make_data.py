"""`toolkit make-data`: a self-cognition data set, and its probes, for the caller's own brand."""

from pathlib import Path

import click

from toolkit.cli.console import notify
from toolkit.data.make_data import Brand, MakeDataConfig, make_data


@click.command(
    "make-data",
    epilog='Example:  toolkit make-data --name Swift-Robot --author "CSDN 迪菲赫尔曼" --to my_robot.json',
)
@click.option("--name", required=True, help="What the model shall call itself.")
@click.option("--author", required=True, help="Who it shall say develops it: a person, a team, a company.")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    default=Path("self_cognition.json"),
    show_default=True,
    help="The data set (alpaca, JSON).",
)
@click.option(
    "--probes",
    "probes_to",
    type=click.Path(path_type=Path),
    help="The probe file.  [default: the data set's name with .probes.yaml]",
)
@click.option("--force", is_flag=True, help="Overwrite both files.")
def command(name: str, author: str, to: Path, probes_to: Path | None, force: bool) -> None:
    """Write a self-cognition data set for your own brand.

    50 rows, Chinese and English, one JSON row a line, and beside them the probes that tell whether it took.
    Prints the paths of the two files.
    """
    brand = Brand(name=name, author=author)
    made = make_data(MakeDataConfig(brand=brand, to=to, probes_to=probes_to, force=force))
    for note in made.notes:
        notify(note)
    click.echo(made.data)
    click.echo(made.probes)
    notify(f"Next: toolkit check {made.data}, then toolkit finetune {made.data}")
