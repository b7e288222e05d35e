"""`toolkit bench`: stdout is the README's table of times, with this machine's beside those of this project."""

import click

from toolkit.cli.console import answers, notify, progress, show, show_json, tell
from toolkit.cli.console.chinese import message
from toolkit.cli.options import JSON, MODEL
from toolkit.core.events import Caller, stop_requests
from toolkit.train.cards.bench import BenchConfig, bench

EXAMPLES = """\b
Examples:
  $ toolkit bench
  $ toolkit bench --model tiny-qwen2 --repeat 3 --json > bench.json
"""


@click.command("bench", epilog=EXAMPLES)
@MODEL
@click.option("--repeat", type=click.IntRange(1, 20), default=1, show_default=True,
              help="Measure each so often, and show medians.")  # fmt: skip
@JSON
def command(model: str | None, repeat: int, as_json: bool) -> None:
    """Time the README's training here, beside our own figures.

    The article's recipe is trained on the shipped rows, and again with 48 questions before and after, each in a process
    of its own from start to end; nothing of it is kept. Our own figures stand beside where we measured a base model of
    the same sizes. With --json, a file to send in: it names model, device and versions, and no path, user or host.
    """
    config = BenchConfig(model=model, repeat=repeat)
    with stop_requests(notify) as stop, progress() as listener:
        found = bench(config, Caller(stop=stop, listener=listener, notify=notify))
    if as_json:
        show_json(found.to_dict())
        return
    from rich.table import Table

    show(f"{found.model} on {found.hardware.get('name') or found.hardware.get('device')}, {found.date}")
    table = Table("", message("here"), *(f"{one.hardware}, {one.date}" for one in found.published), box=None)
    for name, here, others in found.rows():
        table.add_row(message(name), here, *others)
    answers().print(table)
    if not found.published:
        tell("We have measured no base model of these sizes.")
