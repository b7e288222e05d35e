"""`toolkit make-data`: stdout is the paths of the data set and its probe file."""

from pathlib import Path

import click

from toolkit.cli.console import notify, show
from toolkit.cli.options import FORCE, MODEL, PATH
from toolkit.core.suggestion import suggestion
from toolkit.data.make_data import Brand, MakeDataConfig, make_data
from toolkit.model.base_model import base_names


@click.command(
    "make-data",
    epilog='Example:  toolkit make-data --name Swift-Robot --author "CSDN 迪菲赫尔曼" --to my_robot.json',
)
@click.option("--name", required=True, help="The model's new name.")
@click.option("--author", required=True, help="Who it says developed it: a person, a team, a company.")
@click.option(
    "--to", type=PATH, default=Path("self_cognition.json"), show_default=True, help="The data set (alpaca, JSON)."
)
@click.option("--probes", "probes_to", type=PATH, help="The probe file.  [default: the data set's, with .probes.yaml]")
@MODEL
@FORCE
def command(name: str, author: str, to: Path, probes_to: Path | None, model: str | None, force: bool) -> None:
    """Write a self-cognition data set for your own brand.

    It has 50 rows in Chinese and English, one per line, and comes with the probes that tell whether the model learned
    them. Prints the paths of the two files. The old identity, which must not remain, is that of the base model.
    """
    brand = Brand(name=name, author=author)
    made = make_data(MakeDataConfig(brand=brand, to=to, probes_to=probes_to, force=force, old=base_names(model)))
    for note in made.notes:
        notify(note)
    show(made.data)
    show(made.probes)
    notify(f"Next: {suggestion('check', made.data)} && {suggestion('finetune', made.data)}")
