"""`toolkit lab`: a verdict on each version of a data set, over a base model that stays loaded."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from toolkit.cli.compare import compare_and_show
from toolkit.cli.console import notify, progress
from toolkit.cli.finetune import with_settings
from toolkit.compare.compare import CompareConfig
from toolkit.compare.texts import ENGLISH, Texts
from toolkit.core.errors import DataError
from toolkit.core.events import Caller, stop_requests
from toolkit.model.device import reset_peak_memory
from toolkit.sweep.lab import versions
from toolkit.sweep.shared_base import SharedBase
from toolkit.train.finetune import Backends, FinetuneConfig, finetune
from toolkit.train.recipe import default_recipe, load_recipe, shipped


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
    base = SharedBase()
    with stop_requests(notify) as stop:
        for _ in versions(data, stop):
            started = time.perf_counter()
            reset_peak_memory()
            try:
                with progress() as listener:
                    run = finetune(
                        config, Caller(stop=stop, listener=listener, notify=notify), Backends(train=base.train)
                    )
                compared = CompareConfig(run=str(run.folder), model=model, output=output)
                code = compare_and_show(compared, texts, load=base.load)
                notify(f"{run.folder}: {time.perf_counter() - started:.1f} s")
            except DataError as error:  # the next version may be right
                click.echo(f"Error: {error}", err=True)
            notify(f"Waiting for a change of {data}; Ctrl-C ends.")
    click.get_current_context().exit(code)
