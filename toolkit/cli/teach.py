"""`toolkit teach`: stdout is the data file, the run's folder and the report; the exit code is the verdict's."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from toolkit.cli.compare import compare_and_print, warn_of_probes
from toolkit.cli.console import notify, progress, show, show_json
from toolkit.cli.console.chinese import user_texts
from toolkit.cli.finetune import OPTIONS, advise_over_ssh, questions_file, require_consistent, setting_options
from toolkit.cli.options import ALLOW, FORCE, JSON, MODEL, OUTPUT, PATH, RECIPE, SKIP_BAD, contradiction
from toolkit.compare.ability.ability import NO_ABILITIES
from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.report import write_report
from toolkit.core.errors import DataError
from toolkit.core.events import Caller, stop_requests
from toolkit.core.startup import process_started
from toolkit.core.suggestion import suggestion
from toolkit.core.text import counted, has_chinese
from toolkit.data.soundness import Reading
from toolkit.runs.layout import output_option
from toolkit.train.finetune import Backends, FinetuneConfig, finetune
from toolkit.train.ms_swift.shared_base import SharedBase
from toolkit.train.recipe import Recipe, default_recipe, load_recipe
from toolkit.train.teach import Taught, TeachConfig, read_text_file, teach
from toolkit.train.texts.from_text import TextKind
from toolkit.train.texts.text_set import KINDS

STDIN = "-"


class TextCommand(click.Command):
    """Takes a sentence that begins with a hyphen, such as "-5 °C is …", for TEXT: an option has no spaces."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        valued = {name for one in self.params if isinstance(one, click.Option) and not one.is_flag for name in one.opts}
        for at, one in enumerate(args):
            if one == "--":
                break
            name = one.split("=", 1)[0]
            sentence = one.startswith("-") and (any(map(str.isspace, name)) or has_chinese(name))
            if sentence and (at == 0 or args[at - 1] not in valued):
                return super().parse_args(ctx, [*args[:at], *args[at + 1 :], "--", one])
        return super().parse_args(ctx, args)


@click.command(cls=TextCommand, epilog='Example: toolkit teach "You are Larkspur, made by Northwind Robotics."')
@click.argument("text", nargs=-1)
@click.option("--file", type=PATH, default=None, help="A text file, up to 4000 characters, in place of TEXT.")
@click.option(
    "--kind",
    type=click.Choice(list(KINDS)),
    default=None,
    help="What the text is.  [default: by each sentence's words]",
)
@click.option("--data", type=PATH, default=None, help="The data file.  [default: taught/ in the output folder]")
@click.option("--rows-only", is_flag=True, help="Write the data file, and train nothing.")
@MODEL
@RECIPE
@setting_options
@click.option("--load-in-4bit", is_flag=True, default=None, help="Load the base model in 4 bits (bitsandbytes).")
@click.option("--questions", metavar="FILE", default=None, help="As of finetune: questions around the rows, or none.")
@SKIP_BAD
@ALLOW
@OUTPUT
@FORCE
@JSON
def command(
    text: tuple[str, ...], file: Path | None, kind: TextKind | None, data: Path | None, rows_only: bool,
    model: str | None, recipe: str | None, questions: str | None, skip_bad: bool, allow: tuple[str, ...], output: Path,
    force: bool, as_json: bool, **settings: Any,
) -> None:  # fmt: skip
    """From a sentence to a data set, a training and a verdict.

    TEXT (- reads standard input) says who the assistant is, facts, or a rule of behaviour, in English or Chinese.
    Plain sentences become rows by their form; for others the base model writes questions, and each is checked. The
    rows and probes are ordinary files. Then as finetune --compare does. A data file that is there for the same TEXT
    and model is used as it is, with your edits.
    """
    if bool(text) == (file is not None):
        raise click.UsageError("Write either a TEXT, in quotes, or --file.")
    named = load_recipe(recipe or default_recipe(model))
    require_consistent(settings, named, questions)
    if rows_only and (trained := _of_training(settings, questions)):
        raise contradiction("--rows-only", *trained)
    edited, settings = questions_file(questions, settings)
    chosen = named.changed(**settings)
    reading = Reading(skip_bad=skip_bad, allow=allow)
    config = TeachConfig(
        text=_standard_input() if text == (STDIN,) else " ".join(text) if file is None else read_text_file(file),
        model=model, kind=kind, data=data, output=output, system=chosen.system, seed=chosen.seed,
        in_4bit=chosen.load_in_4bit, reading=reading, force=force,
    )  # fmt: skip
    if not rows_only:
        advise_over_ssh()
    base, started = SharedBase(), process_started()
    with progress() as listener:
        taught = teach(config, listener=listener, notify=notify, load=base.load)
    notify(_summary(taught))
    found: dict[str, Any] = {
        "data": str(taught.data), "probes": str(taught.probes), "kinds": list(taught.kinds), "rows": taught.rows,
        "written_by_model": taught.written, "source": taught.source,
    }  # fmt: skip
    if not as_json:
        show(taught.data)
    if rows_only:
        _say_next(taught, output)
        if as_json:
            show_json(found)
        return
    if taught.for_every_answer and settings["keep_weight"] is None:
        chosen = _without_keeping(chosen)
    with stop_requests(notify) as stop, progress() as listener:
        run = finetune(
            FinetuneConfig(
                data=str(taught.data), recipe=chosen, model=model, output=output, command=("toolkit", *sys.argv[1:]),
                reading=reading, questions=edited, compared=True,
            ),
            Caller(stop=stop, listener=listener, notify=notify), Backends(train=base.train), started,
        )  # fmt: skip
    compared = CompareConfig(
        run=str(run.folder), model=model, output=output, depth=False, ability=NO_ABILITIES, scan=False
    )
    if as_json:
        with progress() as listener:
            report, side = compare(compared, listener=listener, load=base.load)
        warn_of_probes(report)
        written = write_report(report, side, None, user_texts())
        show_json(found | {"run": str(run.folder), "report": str(written), "verdict": report.verdict.to_dict()})
        code = report.verdict.exit_code
    else:
        show(run.folder)
        code = compare_and_print(compared, user_texts(), load=base.load).exit_code
    _say_next(taught, output)
    notify(f"Talk to it: {suggestion('chat', run.run_id, *output_option(output))}")
    click.get_current_context().exit(code)


def _of_training(settings: Mapping[str, Any], questions: str | None) -> list[str]:
    """The options that were given and change nothing of the rows."""
    given = {"--questions": questions, **{option: settings[name] for name, option in OPTIONS.items()}}
    return [option for option, value in given.items() if value is not None and option not in {"--system", "--seed"}]


def _summary(taught: Taught) -> str:
    rows = counted(taught.rows, "row")
    if taught.source == "existing":
        return f"{taught.data}: {rows}, used as is; --force writes new ones"
    if not taught.tried:
        return f"{taught.data}: {rows}"
    return f"{taught.data}: {rows}, {taught.written} of them with questions of the model ({taught.tried} tried)"


def _say_next(taught: Taught, output: Path) -> None:
    probes = f", its probes {taught.probes}" if taught.probes.is_file() else ""
    notify(f"The rows are {taught.data}{probes}: read and edit them.")
    notify(f"Train on them again: {suggestion('finetune', taught.data, '--compare', *output_option(output))}")


def _without_keeping(chosen: Recipe) -> Recipe:
    notify(
        "keep_weight 0, since the text is about every answer, and keeping answers would prevent it (--keep-weight says "
        "otherwise); the comparison will say that other answers moved: read in the report how"
    )
    return chosen.changed(keep_weight=0)


def _standard_input() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise DataError(f"Standard input cannot be read: {error}.", next="Send plain text in UTF-8.") from None
