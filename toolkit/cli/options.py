"""Options and arguments that several commands share: one name, one type, one help text."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from toolkit.cli.console import notify
from toolkit.core import environment, files
from toolkit.data.containers.columns import parse_columns
from toolkit.data.soundness import ALLOWED, Reading
from toolkit.model.conversation import NO_SYSTEM_HELP
from toolkit.runs.layout import DEFAULT_OUTPUT
from toolkit.train.recipe import shipped

Decorator = Callable[[Any], Any]
PATH = click.Path(path_type=Path)
MOST_CARDS = 1024
SYSTEM_HELP = f"System prompt; {NO_SYSTEM_HELP}"


def _model(default: str) -> Decorator:
    return click.option("--model", default=None, help=f"Base model: a folder or a name.  [default: {default}]")


def _probes(default: str) -> Decorator:
    return click.option("--probes", type=PATH, default=None, help=f"Probe file.  [default: {default}]")


def say_home() -> Path:
    """`files.home`; says so where it is a data disk that the toolkit found by itself."""
    folder = files.home()
    if folder != Path() and environment.home() is None:
        notify(
            f"Models, runs and caches are in {folder}, since this folder's disk is small ({environment.HOME} names "
            "another folder)."
        )
    return folder


def counted(cards: str) -> str:
    """A number of cards as it was given, if it is one, or "all"."""
    if cards == "all" or (cards.isdecimal() and cards.isascii() and 1 <= int(cards) <= MOST_CARDS):
        return cards
    raise click.BadParameter(f"{cards!r} is neither a number from 1 to {MOST_CARDS} nor all.")


def contradiction(one: str, *others: str) -> click.UsageError:
    """For options of which the first would silently turn off what the others are for, or the reverse."""
    return click.UsageError(f"{one} contradicts {' and '.join(others)}: leave out one or the other.")


def require_cards(shard: object, cards: str) -> None:
    """Raises UsageError for --shard without several cards."""
    if shard and cards == "1" and environment.launched() is None:
        raise click.UsageError("--shard needs several cards: add --cards 2, or --cards all.")


def _cards(use: str) -> Decorator:
    return click.option(
        "--cards", metavar="N|all", default="1", show_default=True,
        callback=lambda _context, _option, text: counted(text),
        help=f"Cards to {use}, a process each; on a machine without, as many processes on the CPU.",
    )  # fmt: skip


def max_new_tokens_option(*, default: int, most: int) -> Decorator:
    return click.option(
        "--max-new-tokens", type=click.IntRange(1, most), default=default, show_default=True,
        help="Longest answer, in tokens.",
    )  # fmt: skip


def reading_options(command: Any) -> Any:
    """How a data set is read for training; the command gets them as one `reading`."""

    @wraps(command)
    def reading_command(columns: str | None, skip_bad: bool, allow: tuple[str, ...], **options: Any) -> Any:
        named = parse_columns(columns) if columns is not None else {}
        return command(reading=Reading(columns=named, skip_bad=skip_bad, allow=allow), **options)

    for option in (ALLOW, SKIP_BAD, COLUMNS):
        reading_command = option(reading_command)
    return reading_command


RUN = click.argument("run", required=False)
COLUMNS = click.option(
    "--columns", metavar="NAME=KEY,…", default=None,
    help="Read columns of DATA as other keys: ask=prompt; NAME=- leaves one out.",
)  # fmt: skip
SKIP_BAD = click.option("--skip-bad", is_flag=True, help="Leave out rows with errors, and list them beside the run.")
ALLOW = click.option(
    "--allow", multiple=True, type=click.Choice(ALLOWED), help="Train on rows with this error as they are."
)  # fmt: skip
OUTPUT = click.option(
    "--output", type=PATH, default=lambda: say_home() / DEFAULT_OUTPUT,
    help=f"Folder of the runs.  [default: {DEFAULT_OUTPUT}]",
)  # fmt: skip
MODEL = _model("qwen2.5-7b-instruct")
RUN_MODEL = _model("the run's own")
CARDS = _cards("train on")
RUN_CARDS, ANSWER_CARDS = _cards("spread the runs over"), _cards("spread the questions over")
SHARD = click.option(
    "--shard", is_flag=True, default=None,
    help="Share the base model out over the cards, even if it fits on each; without, only where it does not.",
)  # fmt: skip
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
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
