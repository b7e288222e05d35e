"""`toolkit up`: stdout is the status of the warm process."""

import importlib
import os
import sys
from typing import Any

import click

from toolkit.cli import import_name
from toolkit.cli.console import show_json, tell
from toolkit.cli.options import JSON, MODEL
from toolkit.serve.up import IDLE_MINUTES, UpConfig, keep, memory_bytes, status, up
from toolkit.serve.warm.client import COMMANDS, ago, span

GIB = 1024**3


@click.command()
@MODEL
@click.option("--idle-minutes", type=click.FloatRange(min=0.05, max=100_000), default=IDLE_MINUTES, show_default=True,
              help="End after so long without a command.")  # fmt: skip
@click.option("--card", "on_card", is_flag=True, help="Also where there is a card, which then holds the model.")
@click.option("--status", "only_status", is_flag=True, help="Only say what there is.")
@click.option("--stay", is_flag=True, hidden=True)
@JSON
def command(
    model: str | None, idle_minutes: float, on_card: bool, only_status: bool, stay: bool, as_json: bool
) -> None:
    """Keep libraries and base model loaded, for commands to come.

    finetune, teach, compare, scan, sweep, chat and export of this user use that process while it is there, with the
    same results, and say so. Another version, environment or limit is not mixed with it: such a command starts by
    itself, and says why. TOOLKIT_WARM=off leaves it out, and toolkit down ends it.
    """
    config = UpConfig(model=model, idle_s=idle_minutes * 60, on_card=on_card)
    if stay:
        keep(config, _import_commands, _say_ready)
        return
    found = status() if only_status else up(config)
    if as_json:
        show_json({} if found is None else {name: value for name, value in found.items() if name != "identity"})
    elif found is None:
        tell("Nothing is warm; toolkit up starts it.")
    else:
        for line in lines(found, memory_bytes(found)):
            tell(line)


def lines(found: dict[str, Any], size_bytes: int) -> list[str]:
    """The status, for people."""
    loaded = f"loaded {ago(found['loaded_s'])}" if found["loaded_s"] is not None else "not loaded"
    why = f" ({found['failed']})" if found["failed"] else ""
    return [
        f"warm: pid {found['pid']}, up for {span(found['age_s'])}, {size_bytes / GIB:.1f} GiB",
        f"ends: after {span(found['ends_after_s'])} without a command",
        f"model: {found['model']}, {loaded}{why}",
        *(f"works: {job['command']}, pid {job['pid']}, for {span(job['age_s'])}" for job in found["jobs"]),
    ]


def _import_commands() -> None:
    for name in sorted(COMMANDS):
        importlib.import_module(import_name(name))
    importlib.import_module("toolkit.compare.report.html").make_ready()


def _say_ready() -> None:
    """To `toolkit up`, which waits; from then on nobody reads."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
