"""`toolkit compare`: stdout is the report, the exit code the verdict."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import click
from click.core import ParameterSource

from toolkit.cli.console import notify, progress, show_json
from toolkit.cli.console.chinese import user_texts
from toolkit.cli.console.ranking import print_ranking, print_scales
from toolkit.cli.console.report import print_report
from toolkit.cli.options import (
    ANSWER_CARDS,
    JSON,
    OUTPUT,
    PATH,
    PROBES,
    RUN_MODEL,
    SHARD,
    SYSTEMS,
    contradiction,
    max_new_tokens_option,
    require_cards,
)
from toolkit.compare.ability.ability import AbilityConfig
from toolkit.compare.ability.benchmarks import READERS, Benchmark
from toolkit.compare.ability.ledger import LIMIT_POINTS
from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.further import MOST_MORE
from toolkit.compare.report import write_report
from toolkit.compare.report.report import Report
from toolkit.compare.sides import SCALED
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import Verdict
from toolkit.core.spelling import did_you_mean
from toolkit.data.probes import THRESHOLDS, is_threshold, threshold_range
from toolkit.model.cards.answering import answering
from toolkit.model.conversation import MAX_NEW_TOKENS, THOUGHT_TOKENS
from toolkit.model.language_model import Load, load_model
from toolkit.runs.comparison import with_digest
from toolkit.runs.layout import COMPARISON, REPORT_PAGE, SCALE_PLOT
from toolkit.sweep.rank import rank, scales_record, sweep_scale, write_scales
from toolkit.train.ms_swift.shared_base import SharedBase

VERDICTS = (
    "Exit code: 0 passed, 20 not learned, 21 something else moved, 22 both; of several runs, that of the best. "
    "Where too few probes were asked to be sure, the figures decide; with --strict, 23, and so where nothing is judged."
)


class Threshold(click.ParamType):  # type: ignore[type-arg]  # generic from Click 8.5 on
    """`leakage=0.05`."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        name, _, number = str(value).partition("=")
        if name not in THRESHOLDS:
            self.fail(
                f"there is no metric {name!r}.{did_you_mean(name, THRESHOLDS)} The metrics are {', '.join(THRESHOLDS)}",
                param,
                ctx,
            )
        try:
            limit = float(number)
        except ValueError:
            self.fail(f"{number!r} is not a number", param, ctx)
        if not is_threshold(name, limit):
            self.fail(f"the threshold of {name} is {number}; {threshold_range(name)}", param, ctx)
        return name, limit


@click.command(epilog=VERDICTS)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@PROBES
@click.option(
    "--before", default="base", show_default=True,
    help='A side: base, a run, the folder of an adapter or a model, "system:TEXT".',
)  # fmt: skip
@click.option("--after", default=None, help="A side.  [default: RUN]")
@click.option("--scale", type=click.FloatRange(0, 1), default=None, help="Strength of the after side's adapter.")
@click.option("--sweep-scale", "sweeping", is_flag=True, help="Compare at scales from 0 to 1: a table and a plot.")
@RUN_MODEL
@SYSTEMS
@click.option("--threshold", "thresholds", type=Threshold(), multiple=True,
              help="Instead of the probe file's. Repeatable.")  # fmt: skip
@click.option("--outside", type=click.IntRange(0), default=None, metavar="N",
              help="Questions out of scope in all; beyond the probe file's from the shipped bank.  [default: as many "
              "as the limit of leakage takes on a card; the probe file's on a CPU]")  # fmt: skip
@click.option("--probes-more", type=click.IntRange(0, MOST_MORE), default=None, metavar="N",
              help="Further questions: N wordings that the base model writes, N of the rows, and N out of scope.  "
              "[default: in scope as many as the limits there take on a card, none on a CPU]")  # fmt: skip
@click.option(
    "--depth/--no-depth",
    default=None,
    help="Ask where users poke, too: what the probe file lacks of tasks, other languages and conversations.  "
    "[default: on a card, for one run]",
)
@click.option("--test", metavar="FILE[#COUNT]", default=None,
              help="Score both sides on rows that were not trained.  [default: the run's test rows]")  # fmt: skip
@click.option("--thinking", type=click.Choice(["keep", "off"]), default=None,
              help="Of base models that think. keep: probes are answered after a thought, and as many answers must "
              "have one as before; off: none may have one.  [default: as the run was trained]")  # fmt: skip
@click.option("--max-thought-tokens", "thought_tokens", type=click.IntRange(1, 32768), default=THOUGHT_TOKENS,
              show_default=True, help="Longest thought, in tokens, beside the answer's.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit code 23 for an inconclusive verdict.")
@click.option("--ability/--no-ability", default=None,
              help="Measure abilities that nobody asked about too: over 1100 short items.  "
              "[default: on a card, for one run]")  # fmt: skip
@click.option("--ability-limit", type=click.FloatRange(0, 100), default=LIMIT_POINTS, show_default=True,
              metavar="POINTS", help="What abilities may lose in total.")  # fmt: skip
@click.option("--benchmark", "benchmarks", multiple=True, metavar="NAME=FILE[#COUNT]",
              help=f"A public benchmark that you have: {', '.join(READERS)}. Repeatable.")  # fmt: skip
@click.option("--scan/--no-scan", "scanning", default=None,
              help="Also look for words that nobody asked about, as toolkit scan does.  "
              "[default: in a fifth of its text, on a card, for one run]")  # fmt: skip
@max_new_tokens_option(default=MAX_NEW_TOKENS, most=4096)
@ANSWER_CARDS
@SHARD
@OUTPUT
@click.option("--report", "report_folder", type=PATH,
              help="Folder of the report.  [default: in the run compare/, or compare-… for other sides]")  # fmt: skip
@click.option("--all", "show_all", is_flag=True, help="Show every probe.")
@JSON
@click.pass_context
def command(
    ctx: click.Context, runs: tuple[str, ...], probes: Path | None, before: str, after: str | None, scale: float | None,
    sweeping: bool, model: str | None, systems: tuple[str, ...], thresholds: tuple[tuple[str, float], ...],
    outside: int | None, probes_more: int | None, depth: bool | None, test: str | None,
    thinking: Literal["keep", "off"] | None, thought_tokens: int, strict: bool,
    ability: bool | None, ability_limit: float, benchmarks: tuple[str, ...],
    scanning: bool | None, max_new_tokens: int, cards: str, shard: bool | None, output: Path,
    report_folder: Path | None, show_all: bool, as_json: bool,
) -> None:  # fmt: skip
    """Ask the probes before and after, and judge what changed.

    RUN is a run's id or folder, by default the latest finished run. Several runs are ranked; their base model is
    loaded once. NAME@0.5 is a side with its adapter at half its strength.
    """
    _require_consistent(ctx)
    require_cards(shard, cards)
    if len(runs) > 1 or sweeping:
        ability, depth, scanning = (False if one is None else one for one in (ability, depth, scanning))
    measured = AbilityConfig(
        shipped=ability, benchmarks=tuple(map(Benchmark.parse, benchmarks)), limit_points=ability_limit
    )
    config = CompareConfig(
        run=runs[0] if runs else None, before=before, after=after, scale=scale, model=model, probes=probes,
        systems=systems, thresholds=dict(thresholds), output=output, max_new_tokens=max_new_tokens,
        outside=outside, probes_more=probes_more, depth=depth, test=test, strict=strict,
        thinking=thinking, thought_tokens=thought_tokens, ability=measured, scan=scanning,
    )  # fmt: skip
    texts = user_texts()
    several = len(runs) > 1
    with answering(cards, SharedBase().load if several or sweeping else load_model, shard=shard) as load:
        if several:
            code = _rank(runs, config, load, texts, as_json=as_json)
        elif sweeping:
            code = _sweep_scale(config, load, report_folder, texts, as_json=as_json)
        else:
            show = _show_report if as_json else partial(print_report, texts=texts, show_all=show_all)
            code = compare_and_show(config, texts, show, folder=report_folder, load=load).verdict.exit_code
    ctx.exit(code)


def _require_consistent(ctx: click.Context) -> None:
    """Raises UsageError for arguments of which one would silently not count."""
    runs, after, scale = (ctx.params[name] for name in ("runs", "after", "scale"))
    sweeping, thresholds = ctx.params["sweeping"], ctx.params["thresholds"]
    if runs and after is not None:
        raise click.UsageError("RUN is the after side; do not name both.")
    if len(runs) > 1 and (scale is not None or sweeping or ctx.params["report_folder"] is not None):
        raise click.UsageError("--scale, --sweep-scale and --report are for one run.")
    if scale is not None and sweeping:
        raise click.UsageError("Use either --scale or --sweep-scale.")
    if after is not None and SCALED.fullmatch(after) and (scale is not None or sweeping):
        raise contradiction(f"--after {after}", "--sweep-scale" if sweeping else "--scale")
    limited = ctx.get_parameter_source("ability_limit") is ParameterSource.COMMANDLINE
    if limited and ctx.params["ability"] is False and not ctx.params["benchmarks"]:
        raise contradiction("--no-ability", "--ability-limit")
    for name, limit in thresholds:
        if limit != (last := dict(thresholds)[name]):
            raise contradiction(f"--threshold {name}={limit:g}", f"--threshold {name}={last:g}")


def compare_and_print(config: CompareConfig, texts: Texts, *, load: Load = load_model, quiet: bool = False) -> Verdict:
    """Writes the report into the run, and prints it unless `quiet`."""
    show = _nothing if quiet else partial(print_report, texts=texts)
    return compare_and_show(config, texts, show, load=load).verdict


def compare_and_show(
    config: CompareConfig, texts: Texts, show: Callable[[Report], None], *, folder: Path | None = None,
    load: Load = load_model,
) -> Report:  # fmt: skip
    """Shows the report and writes it to `folder`, by default the run's."""
    with progress() as listener:
        report, side = compare(config, listener=listener, load=load)
    show(report)
    warn_of_probes(report)
    if (written := write_report(report, side, folder, texts)) is not None:
        notify(f"report: {written / REPORT_PAGE}")
        if folder is None and written.name != COMPARISON:
            notify("The run's own report stays: this one is on other sides than its adapter and its base.")
    return report


def warn_of_probes(report: Report) -> None:
    for line in report.warnings:
        notify(line)


def _nothing(_: Report) -> None:
    """Another answer has the verdict."""


def _show_report(report: Report) -> None:
    """As report.json has it."""
    show_json(with_digest(report.to_dict()))


def _rank(runs: tuple[str, ...], config: CompareConfig, load: Load, texts: Texts, *, as_json: bool) -> int:
    with progress() as listener:
        ranked = rank(runs, config, load=load, listener=listener)
    if as_json:
        show_json({"schema_version": 1, "ranking": [one.to_dict() for one in ranked]})
    else:
        print_ranking(ranked, texts)
    for one in ranked:
        warn_of_probes(one.report)
        notify(f"report: {write_report(one.report, one.side, None, texts)}")
    return ranked[0].report.verdict.exit_code


def _sweep_scale(config: CompareConfig, load: Load, folder: Path | None, texts: Texts, *, as_json: bool) -> int:
    with progress() as listener:
        ranked = sweep_scale(config, load=load, listener=listener)
    if as_json:
        show_json(scales_record(ranked))
    else:
        print_scales(ranked, texts)
    for one in ranked:
        warn_of_probes(one.report)
    if (written := write_scales(ranked, folder)) is not None:
        notify(f"plot: {written / SCALE_PLOT}")
    return min(one.report.verdict.exit_code for one in ranked)
