"""`toolkit teach`: stdout is the data file, the run's folder and the report; the exit code is the verdict's."""

import sys
from pathlib import Path
from typing import Any

import click

from toolkit.cli.compare import compare_and_print
from toolkit.cli.console import notify, progress, show, show_json
from toolkit.cli.finetune import advise_over_ssh, setting_options
from toolkit.cli.options import FORCE, JSON, LANG, MODEL, OUTPUT, PATH, RECIPE
from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.report import write_report
from toolkit.compare.texts import Texts
from toolkit.core.events import Caller, stop_requests
from toolkit.core.startup import process_started
from toolkit.core.suggestion import suggestion
from toolkit.runs.layout import output_option
from toolkit.sweep.shared_base import SharedBase
from toolkit.train.finetune import Backends, FinetuneConfig, finetune
from toolkit.train.questions.from_text import TextKind
from toolkit.train.recipe import default_recipe, load_recipe
from toolkit.train.teach import KINDS, TeachConfig, read_text_file, teach


@click.command(epilog='Example: toolkit teach "You are Larkspur, made by Northwind Robotics."')
@click.argument("text", required=False)
@click.option("--file", type=PATH, default=None, help="A text file, up to 4000 characters, in place of TEXT.")
@click.option(
    "--kind", type=click.Choice(list(KINDS)), default=None, help="What the text is.  [default: by its first words]"
)
@click.option("--data", type=PATH, default=None, help="The data file.  [default: taught/ in the output folder]")
@click.option("--rows-only", is_flag=True, help="Write the data file, and train nothing.")
@MODEL
@RECIPE
@setting_options
@click.option("--load-in-4bit", is_flag=True, default=None, help="Load the base model in 4 bits (bitsandbytes).")
@OUTPUT
@FORCE
@LANG
@JSON
def command(
    text: str | None, file: Path | None, kind: TextKind | None, data: Path | None, rows_only: bool, model: str | None,
    recipe: str | None, output: Path, force: bool, lang: str, as_json: bool, **settings: Any,
) -> None:  # fmt: skip
    """From a sentence to a data set, a training and a verdict.

    The base model writes questions about TEXT and answers them with TEXT in its context; the pairs that say what only
    TEXT says become the rows of an ordinary data file. Then as finetune --compare does. A data file that is there for
    the same TEXT and model is used as it is, with your edits.
    """
    if (text is None) == (file is None):
        raise click.UsageError("Write either a TEXT or --file.")
    chosen = load_recipe(recipe or default_recipe(model)).changed(**settings)
    config = TeachConfig(
        text=str(text) if file is None else read_text_file(file), model=model, kind=kind, data=data, output=output,
        system=chosen.system, seed=chosen.seed, in_4bit=chosen.load_in_4bit, force=force,
    )  # fmt: skip
    if not rows_only:
        advise_over_ssh()
    base, started = SharedBase(), process_started()
    with progress() as listener:
        taught = teach(config, listener=listener, notify=notify, load=base.load)
    answered = f"{taught.rows} rows of {taught.tried} questions" if taught.tried else f"{taught.rows} rows, used as is"
    notify(f"{taught.data}: {answered}" + ("" if taught.tried else "; --force writes new ones"))
    found: dict[str, Any] = {
        "data": str(taught.data), "kind": taught.kind, "rows": taught.rows, "source": taught.source
    }  # fmt: skip
    if not as_json:
        show(taught.data)
    if rows_only:
        notify(f"Next: {suggestion('finetune', taught.data, '--compare', *output_option(output))}")
        if as_json:
            show_json(found)
        return
    with stop_requests(notify) as stop, progress() as listener:
        run = finetune(
            FinetuneConfig(
                data=str(taught.data), recipe=chosen, model=model, output=output, command=("toolkit", *sys.argv[1:])
            ),
            Caller(stop=stop, listener=listener, notify=notify), Backends(train=base.train), started,
        )  # fmt: skip
    compared = CompareConfig(run=str(run.folder), model=model, output=output)
    if not as_json:
        show(run.folder)
        click.get_current_context().exit(compare_and_print(compared, Texts(lang), load=base.load))
    with progress() as listener:
        report, side = compare(compared, listener=listener, load=base.load)
    written = write_report(report, side, None, Texts(lang))
    show_json(found | {"run": str(run.folder), "report": str(written), "verdict": report.verdict.to_dict()})
    click.get_current_context().exit(report.verdict.exit_code)
