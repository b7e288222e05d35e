"""`toolkit check`: stdout is what was found in the data set, or in a file of questions, as text or as JSON."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from toolkit.cli.console import progress, show_json
from toolkit.cli.console.findings import print_findings, print_question_findings
from toolkit.cli.finetune import setting_options
from toolkit.cli.options import ALLOW, COLUMNS, JSON, MODEL, OUTPUT, PATH, RECIPE
from toolkit.core.errors import AbsentModelError, DataError
from toolkit.core.files import data_folder
from toolkit.core.suggestion import suggestion
from toolkit.data.containers.columns import parse_columns
from toolkit.data.dataset import find_dataset
from toolkit.data.encoding import Encoder
from toolkit.data.probes import compared_probes, read_probes
from toolkit.data.row_checks import Finding
from toolkit.data.samples import parse_source
from toolkit.data.soundness import Reading
from toolkit.model.base_model import BaseModel, find_base_model, require_sizes
from toolkit.runs.layout import QUESTIONS_FILE, output_option
from toolkit.runs.pace import expected_time
from toolkit.runs.questions import last_with_questions
from toolkit.runs.record import RecordedBase
from toolkit.train.check import CheckConfig, Findings, check
from toolkit.train.planning.plan import recipe_of, require_context
from toolkit.train.questions.faults import find_faults, is_questions_file
from toolkit.train.recipe import Recipe, default_recipe, load_recipe
from toolkit.train.sources import is_hub

# Settings that change which rows are trained, how often and in which words.
PREVIEWED = ("epochs", "batch_size", "max_length_tokens", "system", "eval_split", "min_steps")


@click.command("check", epilog="Example:  toolkit check self_cognition.json --model tiny-qwen2 --preview 3")
@click.argument("data")
@MODEL
@RECIPE
@click.option("--probes", type=PATH, help="Probe file that prompts must not duplicate.  [default: the data set's own]")
@partial(setting_options, only=PREVIEWED)
@click.option("--load-in-4bit", is_flag=True, default=None, help="As of finetune: for the memory that it takes.")
@COLUMNS
@ALLOW
@click.option("--write", type=PATH, help="Write the rows without errors to this file, as messages (JSONL).")
@click.option("--preview", type=click.IntRange(min=0), default=2, show_default=True, help="Rows to show as trained on.")
@OUTPUT
@JSON
def command(
    data: str, model: str | None, recipe: str | None, probes: Path | None, columns: str | None,
    allow: tuple[str, ...], write: Path | None, preview: int, output: Path, as_json: bool, **settings: Any,
) -> None:  # fmt: skip
    """Check a data set before training on it.

    DATA is a file here or in the shipped data folder, or owner/name on a hub (HF::owner/name on Hugging Face); #200
    takes a sample of its rows. Formats: alpaca, messages, ShareGPT or query/response, as JSON, JSONL, CSV or Parquet,
    also gzip-compressed. Every error and warning names its row and what to do about it; what rows say
    and training does not use is counted. The model's tokenizer counts tokens and shows which of them are trained on,
    under which system prompts and in which wordings; then comes what a training takes of the card's memory. finetune
    refuses what is an error here, and a base model as here. DATA can also be a file of questions for finetune
    --questions. The exit code is 5 if
    there are errors.
    """
    chosen, source = load_recipe(recipe or default_recipe(model)).changed(**settings), parse_source(data)
    path = Path(source.name) if is_hub(source) else find_dataset(source.name)
    if (base := _present(model)) is not None:
        chosen = recipe_of(base, chosen)

    def open_encoder() -> Encoder:
        return _open_encoder(model, chosen.max_length_tokens)

    if is_questions_file(path):
        if wrong := [f"--{name}" for name, one in (("columns", columns), ("allow", allow), ("write", write)) if one]:
            raise click.UsageError(f"{path} has questions, not rows: leave out {', '.join(wrong)}.")
        probes = probes or _shipped_probes()
        known = read_probes(probes).probes if probes else ()
        about_questions = find_faults(path, chosen, probes=known, open_encoder=open_encoder)
        if as_json:
            show_json(about_questions.to_dict())
        else:
            print_question_findings(about_questions)
        click.get_current_context().exit(0 if about_questions.sound else DataError.exit_code)
    config = CheckConfig(
        data=data, reading=Reading(columns=parse_columns(columns) if columns is not None else {}, allow=allow),
        write=write, recipe=chosen, probes=probes or compared_probes(path), open_encoder=open_encoder,
        preview_rows=preview,
    )  # fmt: skip
    with progress() as listener:
        findings = check(config, listener)
    further = (
        *_expected_time(findings, chosen, base, output),
        *_expected_memory(findings, chosen, base),
        *_written_questions(findings.sha256, data, output),
    )
    findings = replace(findings, findings=(*findings.findings, *further))
    if as_json:
        show_json(findings.to_dict())
    else:
        print_findings(findings, chosen)
    if not findings.sound:
        click.get_current_context().exit(DataError.exit_code)


def _expected_time(findings: Findings, recipe: Recipe, base: BaseModel | None, output: Path) -> Iterator[Finding]:
    if findings.lengths is None or base is None:
        return
    tokens = findings.lengths.epoch * recipe.epochs_trained(findings.trained_rows)
    if time := expected_time(tokens, RecordedBase.from_dict(base.to_dict()), recipe.to_dict(), output):
        yield Finding(level="note", kind="time", message=f"The training takes {time}.")


def _expected_memory(findings: Findings, recipe: Recipe, base: BaseModel | None) -> Iterator[Finding]:
    if findings.lengths is None or base is None:
        return
    from toolkit.model.device import find_device
    from toolkit.train.cards.expected import expected_memory

    base = replace(base, in_4bit=recipe.load_in_4bit)
    yield expected_memory(findings.lengths.longest, recipe, base, find_device(recipe.precision))


def _written_questions(sha256: str, data: str, output: Path) -> Iterator[Finding]:
    """Of the newest run on this data set, if it learned from questions around the rows too."""
    run = last_with_questions(sha256, output)
    if run is None or run.record.questions is None:
        return
    found, file = run.record.questions, run.folder / QUESTIONS_FILE
    origin = "that the model wrote" if found.source == "model" else f"from {found.path}"
    again = suggestion("finetune", data, "--questions", f"my-{QUESTIONS_FILE}", *output_option(output))
    noun = "question" if found.in_scope == 1 else "questions"
    yield Finding(
        level="note", kind="questions",
        message=f"{run.run_id} also learned from {found.in_scope} {noun} {origin}, and kept {found.near} near them: "
        f"{file}.",
        remedy=f"To change them, edit a copy and train with it: {again}; --questions none does without",
    )  # fmt: skip


def _shipped_probes() -> Path | None:
    path = data_folder() / "probes.yaml"
    return path if path.is_file() else None


def _present(model: str | None) -> BaseModel | None:
    """None if it is not on this disk. Raises ConfigError and ModelError for one that finetune refuses."""
    try:
        base = find_base_model(model)
    except AbsentModelError:
        return None
    require_sizes(base)
    return base


def _open_encoder(model: str | None, max_length_tokens: int) -> Encoder:
    from toolkit.train.ms_swift import encoder

    base = find_base_model(model)
    require_context(base, max_length_tokens)
    return encoder(base.path, max_length_tokens)
