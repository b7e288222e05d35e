"""`toolkit replay`: stdout says what is the same, and where the rest first differs."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from toolkit.cli.console import notify, progress, show_either
from toolkit.cli.options import JSON, OUTPUT, PATH, RUN, RUN_MODEL
from toolkit.core.events import Caller, stop_requests
from toolkit.core.text import one_line
from toolkit.runs.first_difference import LossDifference, TensorDifference
from toolkit.sweep.replay import FigureComparison, Replay, ReplayConfig, replay

EXAMPLES = """\b
Examples:
  $ toolkit replay v3
  $ toolkit replay evidence/v3-20261129-101500 --here
"""
SENTENCES = {
    "same": "Replayed: the second run is the first one, bit for bit.",
    "within tolerances": "Replayed within tolerances: not bit for bit, which other devices and versions cannot be.",
    "differs": "Not replayed: the second run is not the first one.",
}


@click.command("replay", epilog=EXAMPLES)
@RUN
@click.option("--here", is_flag=True, help="On another device or with other versions too: compare within tolerances.")
@click.option("--into", type=PATH, metavar="DIR", help="Output folder of the new run.  [default: replay/ in the run's]")
@RUN_MODEL
@OUTPUT
@JSON
@click.pass_context
def command(
    ctx: click.Context, run: str | None, here: bool, into: Path | None, model: str | None, output: Path, as_json: bool
) -> None:
    """Train and compare RUN again, and say whether it is the same.

    RUN is a run's id or folder, by default the latest finished run. Everything but the base model is read from its
    folder, and every file there is first compared with its sha256. The new run's adapter must be the same byte for
    byte, and so must the losses of all steps, and the report's figures and answers, if the run was compared.
    The exit code is 0 if they are, with --here also if they are within tolerances (docs/evidence.md), else 24.
    """
    config = ReplayConfig(
        run=run, here=here, into=into, model=model, output=output, command=("toolkit", *sys.argv[1:])
    )  # fmt: skip
    with stop_requests(notify) as stop, progress() as listener:
        found = replay(config, Caller(stop=stop, listener=listener, notify=notify))
    show_either(found.to_dict(), lines(found), as_json=as_json)
    ctx.exit(found.exit_code)


def lines(found: Replay) -> Iterator[str]:
    """What the command answers, a line a subject."""
    adapter, steps = found.run.record.adapter, found.run.record.train.steps
    sha256 = "" if adapter is None else adapter.sha256
    yield f"adapter: {'the same, byte for byte, sha256 ' + sha256 if found.adapter_same else _tensors(found.tensors)}"
    same = f"the same in {_all(steps, 'step')}"
    yield f"losses: {same if found.loss is None else _loss(found.loss)}"
    if found.figures is not None:
        yield f"figures: {_figures(found.figures)}"
    yield from (f"not as it was: {one}" for one in found.unlike)
    yield f"replay: {found.run.folder}"
    yield SENTENCES[found.outcome]


def _tensors(one: TensorDifference | None) -> str:
    if one is None:
        return "the same numbers in a file that differs"
    by = "" if one.largest is None else f", by at most {one.largest:.2g}, and in all by {one.relative:.2g} of its norm"
    differ = "differs" if one.count == 1 else "differ"
    return one_line(f"{one.count} of {one.of} tensors {differ}, first {one.name} ({one.reason}{by})")


def _loss(one: LossDifference) -> str:
    first, second = ("no such step" if loss is None else f"{loss:.9g}" for loss in (one.first, one.second))
    return f"first differ in step {one.step}: {first} was recorded, and {second} came now"


def _figures(one: FigureComparison) -> str:
    answers = f"{one.other_answers} of {one.probes} answers" if one.other_answers else _all(one.probes, "answer")
    if not one.differences:
        same = f"all {one.count} are the same"
        if not one.other_answers:
            return f"{same}, and {answers}"
        return f"{same}, but {answers} {'is' if one.other_answers == 1 else 'are'} not"
    first = one.differences[0]
    what = f"{first.name}: {first.first} was recorded, and {first.second} came now"
    differ = f"{len(one.differences)} of {one.count} {'differs' if len(one.differences) == 1 else 'differ'}"
    return one_line(f"{differ}, first {what}; {one.other_answers} other answer{'s' * (one.other_answers != 1)}")


def _all(count: int, noun: str) -> str:
    return f"the one {noun}" if count == 1 else f"all {count} {noun}s"
