"""Prints where the time of a run went: a bar a phase, on stderr, since it is not the answer."""

from collections.abc import Iterator, Mapping

from rich.cells import cell_len

from toolkit.cli.console import notify
from toolkit.compare.texts import Texts
from toolkit.runs.own_comparison import own_comparison
from toolkit.runs.run import Run
from toolkit.runs.training_log import COMPARISON_PHASES, phases, read_training_log

NAME_CELLS, BAR_CELLS = 20, 40
LEAST_S = 0.05  # a phase that is shown


def print_training_time(run: Run, texts: Texts) -> None:
    """The training's, from the start of the process."""
    log = read_training_log(run)
    head = texts("run.time_total", total=f"{log.total_seconds:.1f}")
    named = {texts(f"run.phase.{name}"): seconds for name, seconds in log.seconds.items()}
    _print(f"{texts('run.time')}{texts('colon')}{head}", named, log.total_seconds)


def print_comparison_time(run: Run, texts: Texts) -> None:
    """Of the run's own comparison; nothing without one."""
    if (found := own_comparison(run).record) is not None:
        seconds = phases(found.timings_s, COMPARISON_PHASES)
        named = {texts(f"compare_phase.{name}"): value for name, value in seconds.items()}
        total = found.timings_s["total"]
        _print(f"{texts('about.seconds')}{texts('colon')}{total:.1f}", named, total)


def _print(head: str, seconds: Mapping[str, float], total: float) -> None:
    notify(head)
    for line in bars(seconds, total):
        notify(line)


def bars(seconds: Mapping[str, float], total: float) -> Iterator[str]:
    """A line for each name that took time, with its share of `total`."""
    for name, value in seconds.items():
        if value >= LEAST_S:
            padding = " " * max(1, NAME_CELLS - cell_len(name))
            bar = "█" * round(BAR_CELLS * value / total) if total else ""
            yield f"  {name}{padding}{value:7.1f}  {bar}".rstrip()
