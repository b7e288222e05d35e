"""`image doctor`: prints one finding per line, with reason and remedy unless it is ok; exits with 1 if one is bad."""

from pathlib import Path
from typing import cast, get_args

import click

from image.cli.chinese import message
from image.cli.console import notify, show
from image.core.language import language
from image.core.project import DEFAULT_MODEL
from image.doctor import Runtime, examine
from image.machine.finding import Finding

MARKS = {"en": {"ok": "ok  ", "note": "note", "bad": "BAD "}, "zh": {"ok": "正常", "note": "提示", "bad": "问题"}}


@click.command("doctor")
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="The base model to check for, or none.")
@click.option("--output", type=click.Path(path_type=Path), default="output", show_default=True, help="For results.")
@click.option("--runtime", type=click.Choice(get_args(Runtime)), default="docker", show_default=True,
              help="local: without Docker, in .venv.")  # fmt: skip
@click.option("--online", is_flag=True, help="Check the model hubs too.")
@click.pass_context
def command(ctx: click.Context, model: str, output: Path, runtime: str, online: bool) -> None:
    """Check this host: engine, buildx, card, driver, disk, memory, permissions. Changes nothing.

    With --runtime local: Python, torch against the driver, system and data disk, memory, port, mirrors, proxies.

    Exits with 1 if something will not work, and says what, why it matters, and how to fix it.
    """
    bad = 0
    for finding in examine(model, output, runtime=cast("Runtime", runtime), online=online):
        _show(finding)
        bad += finding.state == "bad"
    if bad:
        notify(message(f"{bad} to fix."))
        ctx.exit(1)


def _show(finding: Finding) -> None:
    show(f"{MARKS[language()][finding.state]}  {message(finding.what)}")
    if finding.state != "ok":
        for line in filter(None, (finding.why, finding.remedy)):
            show(f"      {message(line)}")
