"""`toolkit finetune`: stdout is the run's folder."""

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click

from toolkit.cli.compare import compare_and_print
from toolkit.cli.console import is_terminal, notify, progress, show, show_json
from toolkit.cli.console.chinese import user_texts
from toolkit.cli.console.timings import print_comparison_time, print_training_time
from toolkit.cli.options import CARDS, JSON, MODEL, OUTPUT, RECIPE, SHARD, contradiction, reading_options, require_cards
from toolkit.compare.compare import CompareConfig
from toolkit.core import environment
from toolkit.core.events import Caller, ignores_hangup, stop_requests
from toolkit.core.startup import process_started
from toolkit.core.suggestion import suggestion
from toolkit.core.text import counted
from toolkit.data.soundness import Reading
from toolkit.model.cards.answering import answering
from toolkit.model.conversation import NO_SYSTEM_HELP
from toolkit.model.hub.arrival import wait_for_base_model
from toolkit.runs.layout import output_option
from toolkit.runs.run import Run
from toolkit.train.cards.team import Team, places
from toolkit.train.finetune import Backends, FinetuneConfig, finetune, resume
from toolkit.train.ms_swift import import_all
from toolkit.train.ms_swift.shared_base import SharedBase
from toolkit.train.recipe import Recipe, default_recipe, load_recipe
from toolkit.train.tracking.tracker import NAMES

NO_QUESTIONS = "none"  # for --questions
# Options that replace a recipe's setting: option name, setting, type, help.
SETTINGS: tuple[tuple[str, str, type, str], ...] = (
    ("--epochs", "epochs", float, "Passes over the data."),
    ("--learning-rate", "learning_rate", float, "Peak learning rate."),
    ("--lora-rank", "lora_rank", int, "Rank of the adapter's factors."),
    ("--lora-alpha", "lora_alpha", int, "Scale of the update: alpha / rank."),
    ("--batch-size", "batch_size", int, "Rows per optimizer step."),
    ("--micro-batch-size", "micro_batch_size", int, "Rows on the card at a time."),
    ("--max-length", "max_length_tokens", int, "Longest row, in tokens."),
    ("--warmup-ratio", "warmup_ratio", float, "Share of the steps used for warm-up."),
    ("--save-every-steps", "save_every_steps", int, "Steps between checkpoints."),
    ("--seed", "seed", int, "Seed of the row order and the initial adapter."),
    ("--system", "system", str, f"System prompt of rows without one; {NO_SYSTEM_HELP}"),
    ("--eval-split", "eval_split", float, "Share of the rows to evaluate on, not trained on."),
    ("--early-stop", "early_stop", int, "Stop after N evaluations without a lower loss."),
    ("--stop-kl", "stop_kl", float, "Largest KL at which --stop-when-took may stop."),
    ("--keep", "keep_data", str, "Prompts whose answers must not move."),
    ("--keep-weight", "keep_weight", float, "Weight of the keep term; 0 turns it off."),
    ("--keep-rows", "keep_rows", int, "Keep prompts per optimizer step."),
    ("--question-rows", "question_rows", int, "Questions to learn per optimizer step, beside the rows."),
    ("--near-rows", "near_rows", int, "Questions to keep per optimizer step, beside the keep prompts."),
    ("--keep-thought-tokens", "keep_thought_tokens", int, "Longest thought to keep, of a base model that thinks."),
    ("--thought-rows", "thought_rows", int, "Rows with thoughts of the base model's own per optimizer step."),
    ("--min-steps", "min_steps", int, "Fewest optimizer steps, however few rows there are."),
)


QUESTION_ROWS = ("question_rows", "near_rows")
OPTIONS = {setting: option for option, setting, _, _ in SETTINGS}


def require_consistent(settings: Mapping[str, Any], recipe: Recipe, questions: str | None = None) -> None:
    """Raises UsageError where an option, or the recipe that it is for, turns off what another option is for."""
    for name, value, option, others in (
        ("keep_weight", 0, "--keep-weight 0", ("keep_data", "keep_rows")),
        ("thinking", "off", "--thinking off", ("keep_thought_tokens",)),
    ):
        given = settings.get(name)
        wrong = [OPTIONS[one] for one in others if settings[one]]
        if wrong and (getattr(recipe, name) if given is None else given) == value:
            raise contradiction(option if given is not None else f"Recipe {recipe.name} ({name} {value})", *wrong)
    if questions == NO_QUESTIONS and (wrong := [OPTIONS[one] for one in QUESTION_ROWS if settings[one]]):
        raise contradiction(f"--questions {NO_QUESTIONS}", *wrong)


def setting_options(command: Any, *, only: Collection[str] = ()) -> Any:
    """Adds the options; `only`: those for these settings."""
    for option, setting, kind, text in reversed(SETTINGS):
        if not only or setting in only:
            command = click.option(option, setting, type=kind, default=None, help=text)(command)
    return command


@click.command(epilog="Example: toolkit finetune self_cognition.json --epochs 5")
@click.argument("data", required=False)
@MODEL
@RECIPE
@setting_options
@click.option(
    "--stop-when-took", is_flag=True, default=None, help="Stop once paraphrases of trained questions are answered too."
)
@click.option(
    "--thinking", type=click.Choice(["keep", "off"]), default=None,
    help="Of a base model that thinks before it answers: keep that, or learn to answer without; no other base has it.",
)  # fmt: skip
@click.option(
    "--load-in-4bit", is_flag=True, default=None,
    help="Load the base model in 4 bits (bitsandbytes): for 16 GB cards; its own answers change.",
)  # fmt: skip
@click.option(
    "--mix", multiple=True, metavar="SPEC", help="More rows: file.jsonl#200, or owner/name#500 on a hub, as DATA."
)
@click.option("--test", metavar="SPEC", default=None, help="Rows that are not trained: a comparison scores them.")
@click.option(
    "--questions", metavar="FILE", default=None,
    help="Questions around the rows, in place of those that the base model writes; none: without any.",
)  # fmt: skip
@reading_options
@click.option("--track", type=click.Choice(NAMES), default=None, help="Curves for a tracker too, offline by default.")
@CARDS
@SHARD
@OUTPUT
@click.option("--resume", "resumed", metavar="RUN", default=None, help="Continue an interrupted run.")
@click.option(
    "--compare", "comparing", is_flag=True,
    help="Then compare, with the model that is already loaded; the exit code is the verdict's.",
)  # fmt: skip
@click.option("--timings", is_flag=True, help="Show where the time went.")
@JSON
def command(
    data: str | None, model: str | None, recipe: str | None, mix: tuple[str, ...], test: str | None,
    questions: str | None, reading: Reading, track: str | None, cards: str, output: Path, resumed: str | None,
    comparing: bool, timings: bool, as_json: bool, **settings: Any,
) -> None:  # fmt: skip
    """Fine-tune a base model with LoRA on a data set.

    DATA is looked up in the current folder, then among the shipped data sets; owner/name is a data set of ModelScope,
    HF::owner/name one of Hugging Face; #200 takes a sample of its rows. Every setting comes from the recipe; an
    option here replaces it for this run. Prints the run's folder.
    """
    if (data is None) == (resumed is None):
        raise click.UsageError("Name either a data set or a run to --resume.")
    named = {
        "model": model,
        "recipe": recipe,
        "mix": mix or None,
        "test": test,
        "questions": questions,
        "track": track,
        **reading.given,
        **settings,
    }
    given = [name for name, value in named.items() if value is not None]
    if resumed and given:
        raise click.UsageError(f"--resume uses the run's own settings; leave out {', '.join(given)}.")
    require_cards(settings["shard"], cards)
    chosen = load_recipe(recipe or default_recipe(model))
    require_consistent(settings, chosen, questions)
    edited, settings = questions_file(questions, settings)
    advise_over_ssh()
    base = SharedBase()
    launched, team = environment.launched() is not None, Team(places(cards))
    with stop_requests(notify if team.leads else lambda _: None) as stop, progress() as listener, team:
        stop.patient = launched
        if not team.leads:
            team.assist(stop)
            return
        backends = team.backends or (Backends(train=base.train) if comparing else None)
        caller = Caller(stop=stop, listener=listener, notify=notify)
        waited = wait_for_base_model(model, import_all)
        if waited:
            notify(f"waited {waited:.0f} s for the base model; the libraries were imported meanwhile")
        if resumed is not None:
            run = resume(resumed, output, caller, backends, process_started() + waited, compared=comparing)
        else:
            config = FinetuneConfig(
                data=str(data), recipe=chosen.changed(**settings), model=model,
                mix=mix, test=test, reading=reading, questions=edited, track=track, compared=comparing, output=output,
                command=("toolkit", *sys.argv[1:]),
            )  # fmt: skip
            run = finetune(config, caller, backends, process_started() + waited)
    show_run(run, timings=timings, as_json=as_json)
    verdict = None
    if comparing:
        compared = CompareConfig(run=str(run.folder), model=model, output=output)
        with answering(cards, base.load, shard=run.record.recipe.settings.get("shard")) as load:
            verdict = compare_and_print(compared, user_texts(), load=load, quiet=as_json)
        if timings:
            print_comparison_time(run, user_texts())
    else:
        notify(f"Next: {suggestion('compare', run.run_id, *output_option(output))}")
    if as_json:
        train = run.record.train
        show_json({
            "schema_version": 1, "run": str(run.folder), "steps": train.steps, "loss": train.last_loss,
            "seconds": run.record.timings_s["total"], "verdict": None if verdict is None else verdict.to_dict(),
        })  # fmt: skip
    if verdict is not None:
        click.get_current_context().exit(verdict.exit_code)


def show_run(run: Run, *, timings: bool, as_json: bool) -> None:
    """The training in a line, where its time went if that is asked for, and the run's folder, unless JSON names it."""
    train, seconds = run.record.train, run.record.timings_s
    steps = counted(train.steps, "step")
    notify(f"{steps}, loss {train.loss[0]:.2f} -> {train.loss[-1]:.2f}, {seconds['total']:.0f} s")
    if timings:
        print_training_time(run, user_texts())
    if not as_json:
        show(run.folder)


def questions_file(questions: str | None, settings: dict[str, Any]) -> tuple[Path | None, dict[str, Any]]:
    """The file that --questions names, and the settings, which with NO_QUESTIONS ask for none."""
    if questions == NO_QUESTIONS:
        return None, settings | dict.fromkeys(QUESTION_ROWS, 0)
    return None if questions is None else Path(questions), settings


def advise_over_ssh() -> None:
    """Says how a training outlives its SSH connection, where it would not: no nohup, tmux or screen around it."""
    if environment.is_over_ssh() and is_terminal("stderr") and not ignores_hangup():
        notify(
            "Over SSH: if the connection breaks, the training saves a checkpoint and ends. "
            "To keep it running, start it within tmux, or with nohup toolkit finetune … &"
        )
