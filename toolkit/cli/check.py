"""`toolkit check`: stdout is what was found in the data set, as text or as JSON."""

from pathlib import Path

import click

from toolkit.cli.console import progress, show_json
from toolkit.cli.options import JSON, MODEL, PATH, RECIPE
from toolkit.cli.tables.findings import print_findings
from toolkit.core.errors import DataError
from toolkit.core.files import data_folder
from toolkit.data.check import CheckConfig, check
from toolkit.data.dataset import find_dataset
from toolkit.data.encoding import Encoder
from toolkit.train.recipe import default_recipe, load_recipe


@click.command("check", epilog="Example:  toolkit check self_cognition.json --model tiny-qwen2 --preview 3")
@click.argument("data")
@MODEL
@RECIPE
@click.option("--probes", type=PATH, help="Probe file that prompts must not duplicate.  [default: the shipped one]")
@click.option("--preview", type=click.IntRange(min=0), default=2, show_default=True, help="Rows to show as trained on.")
@JSON
@click.pass_context
def command(
    ctx: click.Context, data: str, model: str | None, recipe: str | None, probes: Path | None, preview: int,
    as_json: bool,
) -> None:  # fmt: skip
    """Check a data set before training on it.

    DATA is a file here or in the shipped data folder: alpaca, messages, ShareGPT or query/response, as JSON, JSONL or
    CSV. Every error and warning names its row and what to do about it. The model's tokenizer counts tokens and shows
    which of them are trained on. The exit code is 5 if there are errors.
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
        show_json(findings.to_dict())
    else:
        print_findings(findings, settings)
    if not findings.sound:
        ctx.exit(DataError.exit_code)


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
