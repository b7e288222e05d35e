"""`toolkit compare`: both sides answer the probes; the verdict is the exit code."""

from pathlib import Path
from typing import Any

import click

from toolkit.cli.console import notify, progress
from toolkit.cli.tables.ranking import print_ranking, print_scales
from toolkit.cli.tables.report import print_report
from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.report import write_report
from toolkit.compare.texts import ENGLISH, LANGUAGES, Texts
from toolkit.data.probes import THRESHOLDS
from toolkit.model.conversation import MAX_NEW_TOKENS, NO_SYSTEM_HELP
from toolkit.model.language_model import Load, load_model
from toolkit.runs.layout import SCALE_PLOT
from toolkit.sweep.rank import rank, sweep_scale, write_scales

VERDICTS = "Exit code: 0 passed, 20 it did not take, 21 something else moved, 22 both; of several, that of the best."


class Threshold(click.ParamType):  # type: ignore[type-arg]  # generic from Click 8.5 on
    """`leakage=0.05`."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        name, _, number = str(value).partition("=")
        if name not in THRESHOLDS:
            self.fail(f"no metric {name!r}; there are {', '.join(THRESHOLDS)}", param, ctx)
        try:
            return name, float(number)
        except ValueError:
            self.fail(f"{number!r} is no number", param, ctx)


@click.command(epilog=VERDICTS, short_help="Ask the probes before and after, and judge what changed.")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--probes", type=click.Path(path_type=Path), default=None,
              help="Probe file.  [default: beside the run's data, else the shipped one]")  # fmt: skip
@click.option(
    "--before", default="base", show_default=True,
    help='A side: base, a run, an adapter\'s or model\'s folder, "system:TEXT".',
)  # fmt: skip
@click.option("--after", default=None, help="A side.  [default: RUN]")
@click.option("--scale", type=click.FloatRange(0, 1), default=None, help="How strongly the after side's adapter is on.")
@click.option("--sweep-scale", "sweeping", is_flag=True, help="Compare at scales from 0 to 1: a table and a plot.")
@click.option("--model", default=None, help="Base model.  [default: the run's own]")
@click.option(
    "--system", "systems", multiple=True,
    help=f"System prompt, repeatable; {NO_SYSTEM_HELP}  [default: four, as above]",
)  # fmt: skip
@click.option("--threshold", "thresholds", type=Threshold(), multiple=True,
              help="In place of the probe file's, repeatable.")  # fmt: skip
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
    ctx: click.Context, runs: tuple[str, ...], probes: Path | None, before: str, after: str | None, scale: float | None,
    sweeping: bool, model: str | None, systems: tuple[str, ...], thresholds: tuple[tuple[str, float], ...],
    max_new_tokens: int, output: Path, report_folder: Path | None, lang: str, show_all: bool,
) -> None:  # fmt: skip
    """Ask the probes before and after, and judge what changed.

    RUN is a run's id or folder; without it, the latest finished run. Several are ranked, over one load of their base.
    NAME@0.5 is a side with its adapter at half its strength.

    The probes are asked under four system prompts: the run's own, the model's default, an empty one, an unrelated one.
    """
    if runs and after is not None:
        raise click.UsageError("RUN is the after side; name it once.")
    if len(runs) > 1 and (scale is not None or sweeping or report_folder is not None):
        raise click.UsageError("--scale, --sweep-scale and --report are for one run.")
    if scale is not None and sweeping:
        raise click.UsageError("--scale or --sweep-scale, not both.")
    config = CompareConfig(
        run=runs[0] if runs else None, before=before, after=after, scale=scale, model=model, probes=probes,
        systems=systems, thresholds=dict(thresholds), output=output, max_new_tokens=max_new_tokens,
    )  # fmt: skip
    texts = Texts(lang)
    if len(runs) > 1:
        code = _rank(runs, config, texts)
    elif sweeping:
        code = _sweep_scale(config, report_folder, texts)
    else:
        code = compare_and_show(config, texts, folder=report_folder, show_all=show_all)
    ctx.exit(code)


def compare_and_show(
    config: CompareConfig, texts: Texts, *, folder: Path | None = None, show_all: bool = False, load: Load = load_model
) -> int:
    """Prints the report and leaves it in `folder`, else in the run; returns the verdict's exit code."""
    with progress() as listener:
        report, side = compare(config, listener=listener, load=load)
    print_report(report, texts, show_all=show_all)
    if (written := write_report(report, side, folder, texts)) is not None:
        notify(f"report: {written / 'report.html'}")
    return report.verdict.exit_code


def _rank(runs: tuple[str, ...], config: CompareConfig, texts: Texts) -> int:
    with progress() as listener:
        ranked = rank(runs, config, listener=listener)
    print_ranking(ranked, texts)
    for one in ranked:
        notify(f"report: {write_report(one.report, one.side, None, texts)}")
    return ranked[0].report.verdict.exit_code


def _sweep_scale(config: CompareConfig, folder: Path | None, texts: Texts) -> int:
    with progress() as listener:
        ranked = sweep_scale(config, listener=listener)
    print_scales(ranked, texts)
    if (written := write_scales(ranked, folder)) is not None:
        notify(f"plot: {written / SCALE_PLOT}")
    return min(one.report.verdict.exit_code for one in ranked)
