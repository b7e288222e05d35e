"""`toolkit compare`: both sides answer the probes; the verdict is the exit code."""

from pathlib import Path

import click

from toolkit.cli.console import progress, say
from toolkit.cli.report_table import print_report
from toolkit.compare import MAX_NEW_TOKENS, CompareConfig, compare
from toolkit.report_files import write_report
from toolkit.texts import ENGLISH, LANGUAGES, Texts

VERDICTS = "Exit code: 0 passed, 20 it did not take, 21 something else moved, 22 both."


@click.command(epilog=VERDICTS, short_help="Ask the probes before and after, and judge what changed.")
@click.argument("run", required=False)
@click.option("--probes", type=click.Path(path_type=Path), default=None,
              help="Probe file.  [default: beside the run's data, else the shipped one]")  # fmt: skip
@click.option(
    "--before", default="base", show_default=True, help="A side: base, a run, an adapter's or model's folder."
)
@click.option("--after", default=None, help="A side.  [default: RUN]")
@click.option("--model", default=None, help="Base model.  [default: the run's own]")
@click.option(
    "--system",
    "systems",
    multiple=True,
    help='System prompt, repeatable; "" is the model\'s own, "(none)" an empty one.  [default: four, as above]',
)
@click.option("--max-new-tokens", type=click.IntRange(1, 4096), default=MAX_NEW_TOKENS, show_default=True,
              help="Longest answer.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True, help="Runs.")
@click.option("--report", "report_folder", type=click.Path(path_type=Path), default=None,
              help="Where the report goes.  [default: compare/ in the run]")  # fmt: skip
@click.option("--lang", type=click.Choice(LANGUAGES), default=ENGLISH, show_default=True,
              help="The report's language.")  # fmt: skip
@click.option("--all", "show_all", is_flag=True, help="Show every probe.")
@click.pass_context
def command(
    ctx: click.Context, run: str | None, probes: Path | None, before: str, after: str | None, model: str | None,
    systems: tuple[str, ...], max_new_tokens: int, output: Path, report_folder: Path | None, lang: str,
    show_all: bool,
) -> None:  # fmt: skip
    """Ask the probes before and after, and judge what changed.

    RUN is a run's id or folder; without it, the latest finished run.
    The probes are asked under four system prompts: the run's own, the model's default, an empty one, an unrelated one.
    """
    if run is not None and after is not None:
        raise click.UsageError("RUN is the after side; name it once.")
    config = CompareConfig(
        run=run, before=before, after=after, model=model, probes=probes, systems=systems, output=output,
        max_new_tokens=max_new_tokens,
    )  # fmt: skip
    with progress() as listener:
        report, side = compare(config, listener=listener)
    texts = Texts(lang)
    print_report(report, texts, show_all=show_all)
    folder = write_report(report, side, report_folder, texts)
    if folder is not None:
        say(f"report: {folder / 'report.html'}")
    ctx.exit(report.verdict.exit_code)
