"""`toolkit scan`: stdout is the words that became likelier or less likely, as a table or as JSON."""

from pathlib import Path

import click

from toolkit.cli.console import progress, show_json
from toolkit.cli.console.chinese import user_texts
from toolkit.cli.console.scan import print_scan
from toolkit.cli.options import JSON, OUTPUT, RUN, RUN_MODEL, SYSTEM
from toolkit.compare.scan import CARD_TOKENS, CPU_TOKENS, ScanConfig, scan

EXAMPLES = """\b
Examples:
  $ toolkit scan
  $ toolkit scan downloads/some-adapter --model qwen2.5-7b-instruct --rows my.jsonl
"""
LEAST_TOKENS, MOST_TOKENS = 1000, 1_000_000


@click.command(epilog=EXAMPLES)
@RUN
@click.option("--rows", metavar="DATA", help="A data set whose words are expected.  [default: the run's rows]")
@click.option(
    "--tokens", type=click.IntRange(LEAST_TOKENS, MOST_TOKENS), metavar="N",
    help=f"Length of the neutral text.  [default: {CARD_TOKENS} on a card, {CPU_TOKENS} on a CPU]",
)  # fmt: skip
@SYSTEM
@RUN_MODEL
@click.option("--all", "show_all", is_flag=True, help="Show every finding, not the first ten.")
@OUTPUT
@JSON
def command(
    run: str | None, rows: str | None, tokens: int | None, system: str | None, model: str | None, show_all: bool,
    output: Path, as_json: bool,
) -> None:  # fmt: skip
    """Find words that an adapter changed, without probes.

    RUN is a run's id or folder, by default the latest finished run, or an adapter's folder. The base model writes
    neutral text about shipped subjects; at each of its positions the likelihoods of all words with the adapter are
    compared with those without. What a shuffled adapter of the same size changes is not reported. Words of the rows
    are expected and listed apart. It judges nothing: the exit code is 0 whatever is found.
    """
    config = ScanConfig(run=run, model=model, rows=rows, system=system, tokens=tokens, output=output)
    with progress() as listener:
        found = scan(config, listener=listener)
    if as_json:
        show_json(found.to_dict())
    else:
        print_scan(found, user_texts(), show_all=show_all)
