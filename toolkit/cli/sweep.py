"""`toolkit sweep`: stdout is the table of its runs with the recommended one, or JSON."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from toolkit.cli.console import notify, progress, show_json
from toolkit.cli.console.chinese import user_texts
from toolkit.cli.console.sweep import print_sweep
from toolkit.cli.options import JSON, MODEL, OUTPUT, PROBES, RUN_CARDS, SYSTEMS, reading_options
from toolkit.core.errors import TrainingError
from toolkit.core.events import stop_requests
from toolkit.core.suggestion import suggestion
from toolkit.data.soundness import Reading
from toolkit.model.cards.processes import places
from toolkit.runs.layout import output_option
from toolkit.sweep.record import PAGE, PLOT
from toolkit.sweep.running.one import SweepCaller
from toolkit.sweep.sweep import SweepConfig, resume_sweep, sweep
from toolkit.train.recipe import default_recipe, load_recipe


class ValueList(click.ParamType):  # type: ignore[type-arg]  # generic from Click 8.5 on
    """Values separated by commas, without duplicates."""

    name = "list"

    def __init__(self, kind: Callable[[str], Any]) -> None:
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        parts = [part.strip() for part in str(value).split(",") if part.strip()]
        try:
            found = tuple(dict.fromkeys(self.kind(part) for part in parts))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return found or self.fail("no value", param, ctx)


# Lists of a recipe's settings: option name, setting, type, help.
LISTS: tuple[tuple[str, str, type, str], ...] = (
    ("--epochs", "epochs", float, "Passes over the data."),
    ("--learning-rate", "learning_rate", float, "Peak learning rates."),
    ("--lora-rank", "lora_rank", int, "Ranks of the adapter's factors."),
    ("--batch-size", "batch_size", int, "Rows per optimizer step."),
    ("--keep-weight", "keep_weight", float, "Weights of the keep term."),
    ("--keep-rows", "keep_rows", int, "Keep prompts per optimizer step."),
    ("--seed", "seed", int, "Seeds."),
)


def _list_options(command: Any) -> Any:
    for option, setting, kind, text in reversed(LISTS):
        command = click.option(option, setting, type=ValueList(kind), metavar="LIST", default=None, help=text)(command)
    return command


@click.command(epilog="Example: toolkit sweep self_cognition.json --epochs 5,10,20 --keep-weight 10,30")
@click.argument("data", required=False)
@MODEL
@click.option("--recipes", type=ValueList(str), metavar="LIST", default=None,
              help="Recipes: names or .yaml files.  [default: article,keep]")  # fmt: skip
@_list_options
@PROBES
@SYSTEMS
@reading_options
@RUN_CARDS
@OUTPUT
@click.option("--resume", "resumed", metavar="SWEEP", default=None, help="Continue an interrupted sweep.")
@JSON
def command(
    data: str | None, model: str | None, recipes: tuple[str, ...] | None, probes: Path | None,
    systems: tuple[str, ...], reading: Reading, cards: str, output: Path, resumed: str | None, as_json: bool,
    **lists: tuple[Any, ...] | None,
) -> None:  # fmt: skip
    """Train with lists of settings, and recommend one of the runs.

    There is one run on DATA for every combination of the values. A LIST is separated by commas. A setting that a
    recipe does not use adds no runs to it. Every run is an ordinary one; plot, page and sweep.json are written to
    sweeps/ in the output folder. The latest run is then the recommended one, or the one that comes closest, and its
    verdict is the exit code: 0 passed, 20 not learned, 21 something else moved, 22 both.
    """
    if (data is None) == (resumed is None):
        raise click.UsageError("Name either a data set or a sweep to --resume.")
    given = {"model": model, "recipes": recipes, "probes": probes, "systems": systems or None, **reading.given,
             **lists}  # fmt: skip
    if resumed and (wrong := [name for name, value in given.items() if value is not None]):
        raise click.UsageError(f"--resume uses the sweep's own settings; leave out {', '.join(wrong)}.")
    members = places(cards)
    with stop_requests(notify) as stop:
        caller = SweepCaller(stop=stop, open_listener=progress, notify=notify, texts=user_texts())
        if resumed is not None:
            done = resume_sweep(resumed, output, caller, places=members)
        else:
            names = recipes or tuple(dict.fromkeys(("article", default_recipe(model))))
            config = SweepConfig(
                data=str(data), recipes=tuple(map(load_recipe, names)), model=model, probes=probes, systems=systems,
                reading=reading, lists={name: values for _, name, _, _ in LISTS if (values := lists[name])},
                output=output, command=("toolkit", *sys.argv[1:]),
            )  # fmt: skip
            done = sweep(config, caller, places=members)
    if as_json:
        show_json(done.to_dict())
    else:
        print_sweep(done, user_texts())
    notify(f"plot: {done.folder / PLOT}")
    notify(f"page: {done.folder / PAGE}")
    if done.failed:
        raise TrainingError(
            f"{len(done.failed)} of {len(done.entries)} {'run' if len(done.entries) == 1 else 'runs'} failed.",
            next=f'Try them again with "{suggestion("sweep", "--resume", done.folder.name, *output_option(output))}".',
        )
    click.get_current_context().exit(done.exit_code)
