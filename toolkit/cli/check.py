"""`toolkit check`: stdout is what was found in the data set, or in a file of questions, as text or as JSON."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from toolkit.cli.console import progress, show_json
from toolkit.cli.options import JSON, MODEL, OUTPUT, PATH, RECIPE
from toolkit.cli.tables.findings import print_findings, print_question_findings
from toolkit.core.errors import DataError
from toolkit.core.files import data_folder
from toolkit.core.suggestion import suggestion
from toolkit.data.check import CheckConfig, check
from toolkit.data.dataset import find_dataset, parse_columns
from toolkit.data.encoding import Encoder
from toolkit.data.probes import compared_probes, read_probes
from toolkit.data.row_checks import Finding
from toolkit.runs.layout import QUESTIONS_FILE, output_option
from toolkit.runs.questions import last_with_questions
from toolkit.train.questions.faults import find_faults, is_questions_file
from toolkit.train.recipe import default_recipe, load_recipe


@click.command("check", epilog="Example:  toolkit check self_cognition.json --model tiny-qwen2 --preview 3")
@click.argument("data")
@MODEL
@RECIPE
@click.option("--probes", type=PATH, help="Probe file that prompts must not duplicate.  [default: the data set's own]")
@click.option("--columns", metavar="NAME=KEY,…", help="Read columns as other keys: ask=prompt; NAME=- leaves one out.")
@click.option("--write", type=PATH, help="Write the rows without errors to this file, as messages (JSONL).")
@click.option("--preview", type=click.IntRange(min=0), default=2, show_default=True, help="Rows to show as trained on.")
@OUTPUT
@JSON
@click.pass_context
def command(
    ctx: click.Context, data: str, model: str | None, recipe: str | None, probes: Path | None, columns: str | None,
    write: Path | None, preview: int, output: Path, as_json: bool,
) -> None:  # fmt: skip
    """Check a data set before training on it.

    DATA is a file here or in the shipped data folder: alpaca, messages, ShareGPT or query/response, as JSON, JSONL,
    CSV or Parquet, also gzip-compressed. Every error and warning names its row and what to do about it; what rows say
    and training does not use is counted. The model's tokenizer counts tokens and shows which of them are trained on.
    DATA can also be a file of questions for finetune --questions. The exit code is 5 if there are errors.
    """
    settings, path = load_recipe(recipe or default_recipe(model)), find_dataset(data)

    def open_encoder() -> Encoder:
        return _open_encoder(model, settings.max_length_tokens)

    if is_questions_file(path):
        probes = probes or _shipped_probes()
        known = read_probes(probes).probes if probes else ()
        about_questions = find_faults(path, settings, probes=known, open_encoder=open_encoder)
        if as_json:
            show_json(about_questions.to_dict())
        else:
            print_question_findings(about_questions)
        ctx.exit(0 if about_questions.sound else DataError.exit_code)
    config = CheckConfig(
        data=path, columns=parse_columns(columns) if columns is not None else {}, write=write, training=settings,
        probes=probes or compared_probes(path), open_encoder=open_encoder, preview_rows=preview,
    )  # fmt: skip
    with progress() as listener:
        findings = check(config, listener)
    findings = replace(findings, findings=(*findings.findings, *_written_questions(findings.sha256, data, output)))
    if as_json:
        show_json(findings.to_dict())
    else:
        print_findings(findings, settings)
    if not findings.sound:
        ctx.exit(DataError.exit_code)


def _written_questions(sha256: str, data: str, output: Path) -> Iterator[Finding]:
    """Of the newest run on this data set, if it learned from questions around the rows too."""
    run = last_with_questions(sha256, output)
    if run is None or run.record.questions is None:
        return
    found, file = run.record.questions, run.folder / QUESTIONS_FILE
    origin = "that the model wrote" if found.source == "model" else f"from {found.path}"
    again = suggestion("finetune", data, "--questions", f"my-{QUESTIONS_FILE}", *output_option(output))
    yield Finding(
        level="note", kind="questions",
        message=f"{run.run_id} also learned from {found.in_scope} questions {origin}, and kept {found.near} near them: "
        f"{file}.",
        remedy=f"To change them, edit a copy and train with it: {again}; --questions none does without",
    )  # fmt: skip


def _shipped_probes() -> Path | None:
    path = data_folder() / "probes.yaml"
    return path if path.is_file() else None


def _open_encoder(model: str | None, max_length_tokens: int) -> Encoder:
    from toolkit.model.base_model import find_base_model
    from toolkit.train.ms_swift import encoder
    from toolkit.train.plan import require_context

    base = find_base_model(model)
    require_context(base, max_length_tokens)
    return encoder(base.path, max_length_tokens)
