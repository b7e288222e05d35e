"""`toolkit lab`: a verdict on each version of a data set, over a base model that stays loaded."""

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import click

from toolkit.cli.compare import compare_and_show
from toolkit.cli.console import notify, progress, show
from toolkit.cli.console.changes import print_changes
from toolkit.cli.console.chinese import user_texts
from toolkit.cli.console.failures import shown
from toolkit.cli.console.report import print_report
from toolkit.cli.finetune import require_consistent, setting_options
from toolkit.cli.options import JSON, MODEL, OUTPUT, RECIPE, reading_options
from toolkit.compare.ability.ability import NO_ABILITIES
from toolkit.compare.compare import CompareConfig
from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts
from toolkit.core.errors import DataError
from toolkit.core.events import Caller, stop_requests
from toolkit.data.soundness import Reading
from toolkit.model.device import reset_peak_memory
from toolkit.sweep.changes import changes
from toolkit.sweep.lab import versions
from toolkit.train.finetune import Backends, FinetuneConfig, finetune
from toolkit.train.ms_swift.shared_base import SharedBase
from toolkit.train.recipe import default_recipe, load_recipe


@click.command(epilog="Example: toolkit lab aurora.json --recipe article")
@click.argument("data")
@MODEL
@RECIPE
@setting_options
@reading_options
@OUTPUT
@JSON
def command(
    data: str, model: str | None, recipe: str | None, reading: Reading, output: Path, as_json: bool,
    **settings: Any,
) -> None:  # fmt: skip
    """Fine-tune and compare again each time the data set changes.

    A round starts whenever DATA or the probe file beside it is saved. The base model stays loaded and answers each
    question only once. The first round prints its report, a later one what has changed since the last; every round
    is an ordinary run, with all of its report in files; with --json each is a line. Ctrl-C while waiting ends it;
    the exit code is that of the last verdict.
    """
    named = load_recipe(recipe or default_recipe(model))
    require_consistent(settings, named)
    texts = user_texts()
    last: Report | None = None
    chosen = named.changed(**settings)
    config = FinetuneConfig(
        data=data, recipe=chosen, model=model, reading=reading, compared=True, output=output,
        command=("toolkit", *sys.argv[1:]),
    )  # fmt: skip
    base = SharedBase()
    with stop_requests(notify) as stop:
        for _ in versions(data, stop, lambda: notify(f"Waiting for a change of {data}; Ctrl-C ends.")):
            started = time.perf_counter()
            reset_peak_memory()
            try:
                with progress() as listener:
                    run = finetune(
                        config, Caller(stop=stop, listener=listener, notify=notify), Backends(train=base.train)
                    )
                compared = CompareConfig(
                    run=str(run.folder), model=model, output=output, outside=0, probes_more=0, depth=False,
                    ability=NO_ABILITIES, scan=False,
                )  # fmt: skip  # an answer soon
                view = _nothing if as_json else partial(_show, last=last, texts=texts)
                last = compare_and_show(compared, texts, view, load=base.load)
                seconds = time.perf_counter() - started
                if as_json:
                    show(json.dumps({"run": str(run.folder), "seconds": seconds, "verdict": last.verdict.to_dict()}))
                notify(f"{run.folder}: {seconds:.1f} s")
            except DataError as error:  # the next version may be right
                notify(f"Error: {shown(error)}")
    click.get_current_context().exit(0 if last is None else last.verdict.exit_code)


def _nothing(_: Report) -> None:
    """The round's line has the verdict."""


def _show(report: Report, *, last: Report | None, texts: Texts) -> None:
    if last is None:
        print_report(report, texts)
    else:
        print_changes(changes(last, report), texts)
