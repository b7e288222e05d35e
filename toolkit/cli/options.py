"""Options and arguments that several commands share: one name, one type, one help text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from toolkit.compare.texts import ENGLISH, LANGUAGES
from toolkit.model.conversation import NO_SYSTEM_HELP
from toolkit.runs.layout import DEFAULT_OUTPUT
from toolkit.train.recipe import shipped

Decorator = Callable[[Any], Any]
PATH = click.Path(path_type=Path)
SYSTEM_HELP = f"System prompt; {NO_SYSTEM_HELP}"


def _model(default: str) -> Decorator:
    return click.option("--model", default=None, help=f"Base model: a folder or a name.  [default: {default}]")


def _probes(default: str) -> Decorator:
    return click.option("--probes", type=PATH, default=None, help=f"Probe file.  [default: {default}]")


def max_new_tokens_option(*, default: int, most: int) -> Decorator:
    return click.option(
        "--max-new-tokens", type=click.IntRange(1, most), default=default, show_default=True,
        help="Longest answer, in tokens.",
    )  # fmt: skip


RUN = click.argument("run", required=False)
OUTPUT = click.option("--output", type=PATH, default=DEFAULT_OUTPUT, show_default=True, help="Folder of the runs.")
MODEL = _model("qwen2.5-7b-instruct")
RUN_MODEL = _model("the run's own")
RECIPE = click.option(
    "--recipe", default=None, help=f"Recipe: {', '.join(shipped())}, or a .yaml file.  [default: keep]"
)  # fmt: skip
PROBES = _probes("beside the run's data, else the shipped one")
GATE_PROBES = click.option("--probes", type=PATH, default=None, help="Probe file of the parity gate.")
SYSTEM = click.option("--system", default=None, help=f"{SYSTEM_HELP}  [default: the run's own]")
SYSTEMS = click.option(
    "--system", "systems", multiple=True, help=f"{SYSTEM_HELP} Repeatable.  "
    "[default: the run's, the model's own, an empty one, an unrelated one]",
)  # fmt: skip
BASE_ONLY = click.option("--base", "base_only", is_flag=True, help="Only the base model.")
FORCE = click.option("--force", is_flag=True, help="Overwrite existing files.")
LANG = click.option(
    "--lang", type=click.Choice(LANGUAGES), default=ENGLISH, show_default=True, help="The language of reports."
)  # fmt: skip
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
