"""`toolkit lab`: a verdict on each version of a data set, over a base model that stays loaded."""

import sys
from pathlib import Path
from typing import Any

import click

from toolkit.cli.console import progress, say
from toolkit.cli.finetune import with_settings
from toolkit.cli.report_table import print_report
from toolkit.errors import DataError
from toolkit.finetune import FinetuneConfig
from toolkit.lab import LabDoors, LabEdge, lab
from toolkit.recipe import default_recipe, load_recipe, shipped
from toolkit.report_files import write_report
from toolkit.shared_base import SharedBase
from toolkit.stop import stop_requests
from toolkit.texts import ENGLISH, Texts


@click.command(
    epilog="Example: toolkit lab aurora.json --recipe article",
    short_help="Fine-tune and compare again each time the data changes.",
)
@click.argument("data")
@click.option("--model", default=None, help="Base model: a folder or a name.  [default: qwen2.5-7b-instruct]")
@click.option("--recipe", default=None, help=f"A recipe: {', '.join(shipped())}, or a .yaml file.  [default: keep]")
@with_settings
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True, help="Runs.")
def command(data: str, model: str | None, recipe: str | None, output: Path, **settings: Any) -> None:
    """Fine-tune on DATA and compare, and again each time DATA or the probes beside it are saved.

    The base model stays loaded, and is asked each question once. Each round is an ordinary run.
    Ctrl-C ends it while it waits, with the last verdict as exit code.
    """
    texts, code = Texts(ENGLISH), 0
    chosen = load_recipe(recipe or default_recipe(model)).changed(**settings)
    config = FinetuneConfig(
        data=data, recipe=chosen, model=model, output=output, command=("toolkit", *sys.argv[1:])
    )  # fmt: skip
    with stop_requests(say) as stop:
        edge = LabEdge(stop=stop, listening=progress, say=say)
        for found in lab(config, edge, LabDoors.over(SharedBase())):
            if isinstance(found, DataError):
                click.echo(f"Error: {found}", err=True)
            else:
                print_report(found.report, texts)
                write_report(found.report, found.side, None, texts)
                say(f"{found.run.folder}: {found.seconds:.1f} s")
                code = found.report.verdict.exit_code
            say(f"Waiting for a change of {data}; Ctrl-C ends.")
    click.get_current_context().exit(code)
