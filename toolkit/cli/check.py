"""`toolkit check`: the data doctor's report, for people or as JSON."""

import json
from pathlib import Path

import click

from toolkit.cli.console import progress
from toolkit.cli.tables.findings import report
from toolkit.core.errors import DataError
from toolkit.core.files import data_folder
from toolkit.data.check import CheckConfig, check
from toolkit.data.dataset import find_dataset
from toolkit.data.encoding import Encoder
from toolkit.train.recipe import default_recipe, load_recipe


@click.command("check", epilog="Example:  toolkit check self_cognition.json --model tiny-qwen2 --preview 3")
@click.argument("data")
@click.option("--model", help="A base model's folder or name, for token lengths and the label mask.")
@click.option("--recipe", help="A shipped recipe, or a .yaml file.  [default: keep]")
@click.option(
    "--probes",
    type=click.Path(path_type=Path),
    help="The probes that the prompts must not anticipate.  [default: the shipped ones]",
)
@click.option("--preview", type=click.IntRange(min=0), default=2, show_default=True, help="Rows to show as trained on.")
@click.option("--json", "as_json", is_flag=True, help="Everything that was found, as one JSON object.")
@click.pass_context
def command(
    context: click.Context,
    data: str,
    *,
    model: str | None,
    recipe: str | None,
    probes: Path | None,
    preview: int,
    as_json: bool,
) -> None:
    """Examine a data set before training on it.

    DATA is a file here or in the shipped data folder: alpaca, messages, ShareGPT or query/response, as JSON, JSONL or
    CSV. Every error and warning names its row and what to do. Exits with 5 where there is an error.
    """
    settings = load_recipe(recipe or default_recipe(model))
    config = CheckConfig(
        data=find_dataset(data),
        training=settings,
        probes=probes or _shipped_probes(),
        open_encoder=lambda: _open_encoder(model, settings.max_length_tokens),
        preview_rows=preview,
    )
    with progress() as listener:
        findings = check(config, listener)
    if as_json:
        click.echo(json.dumps(findings.to_dict(), ensure_ascii=False, indent=2))
    else:
        report(findings, settings)
    if not findings.sound:
        context.exit(DataError.exit_code)


def _shipped_probes() -> Path | None:
    path = data_folder() / "probes.yaml"
    return path if path.is_file() else None


def _open_encoder(model: str | None, max_length_tokens: int) -> Encoder:
    from toolkit.model.base_model import find_base_model
    from toolkit.train.ms_swift import encoder

    return encoder(find_base_model(model).path, max_length_tokens)
