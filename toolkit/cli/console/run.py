"""Prints one run on a page: what it was asked, what came out, and where it is."""

from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import answers
from toolkit.cli.console.chinese import is_asked_for, message, user_texts
from toolkit.compare.report.figures import figure
from toolkit.compare.report.report import read_report
from toolkit.core.errors import ConfigError
from toolkit.core.suggestion import suggestion
from toolkit.core.text import counted, one_line
from toolkit.runs.comparison import METRICS
from toolkit.runs.layout import COMPARISON, QUESTIONS_FILE, REPORT_PAGE, output_option
from toolkit.runs.own_comparison import STALE, OwnComparison, own_comparison
from toolkit.runs.record import FINISHED
from toolkit.runs.run import Run
from toolkit.runs.runs import limits_of, next_command, verdict_key

# A recipe's settings that a reader looks for first: field, name.
SETTINGS = (
    ("epochs", "epochs"), ("learning_rate", "learning rate"), ("lora_rank", "rank"), ("lora_alpha", "alpha"),
    ("batch_size", "batch"), ("keep_weight", "keep weight"), ("precision", "precision"),
)  # fmt: skip
GIB = 1024**3
SHOWN = 2  # reasons; the report has all


def print_run(run: Run, width: int) -> None:
    """Prints on stdout, `width` columns wide if it is not a terminal."""
    console = answers(width)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(run):
        if value:
            table.add_row(message(name), escape(message(one_line(value))))
    console.print(table)


def _lines(run: Run) -> Iterator[tuple[str, str]]:
    record = run.record
    base, device = record.base_model, record.hardware
    own = own_comparison(run)
    yield "run", f"{run.run_id}, {run.status}"
    yield "next", next_command(run, own) if run.status != FINISHED else ""
    yield "started", f"{record.started_at}{f', ended {record.finished_at}' if record.finished_at else ''}"
    yield "base", f"{base.name}{' in 4 bits' if base.load_in_4bit else ''} ({base.path})"
    yield "data", _data(run)
    yield "questions", _questions(run)
    yield "recipe", _recipe(run)
    yield "system", record.system
    yield "loss", _loss(run)
    yield "time", _time(run)
    memory = "" if record.peak_memory_bytes is None else f", {record.peak_memory_bytes / GIB:.1f} GiB at peak"
    yield "device", f"{device.name or device.device or 'unknown'}{memory}"
    yield "adapter", "" if record.adapter is None else str(run.folder / record.adapter.path)
    yield "error", record.error or ""
    yield from _verdict(run, own)
    yield "command", record.command
    everything = suggestion("runs", "show", run.run_id, *output_option(run.folder.parent), "--json")
    yield "all of it", everything


def _data(run: Run) -> str:
    data = run.record.data
    mixed = "".join(f" + {one.rows} of {one.source}" for one in data.mix)
    less = [f"{count} {word}" for count, word in ((data.dropped, "dropped"), (data.held_out, "held out")) if count]
    test = "" if data.test is None else f"; test: {data.test.rows} of {data.test.path}"
    sampled = "" if data.sampled_from is None else f" of {data.sampled_from}"
    left_out = f" ({', '.join(less)})" if less else ""
    return f"{data.path}, {counted(data.rows, 'row')}{sampled}{mixed}{left_out}{test}"


def _questions(run: Run) -> str:
    """Those that it was trained on beside its rows."""
    found = run.record.questions
    if found is None:
        return ""
    around = f"that the model wrote around {counted(found.from_rows, 'row')}"
    origin = around if found.source == "model" else f"from {found.path}"
    kinds = ", ".join(f"{name} {count}" for name, count in found.kinds.items())
    counts = f"{found.in_scope} {origin}, and {found.near} near them, kept{f' ({kinds})' if kinds else ''}"
    return f"{counts}: {run.folder / QUESTIONS_FILE}"


def _recipe(run: Run) -> str:
    recipe, seed = run.record.recipe, run.record.seed
    settings = [(name, getattr(recipe, field)) for field, name in SETTINGS]
    shown = [f"{message(name)} {_short(value)}" for name, value in [*settings, ("seed", seed)] if value is not None]
    return f"{recipe.name}: {', '.join(shown)}"


def _loss(run: Run) -> str:
    train = run.record.train
    if not train.loss:
        return ""
    return f"{train.loss[0]:.3f} -> {train.loss[-1]:.3f} ({counted(len(train.loss), 'step')})"


def _time(run: Run) -> str:
    timings = run.record.timings_s
    parts = [f"{timings[name]:.1f} s {word}" for name, word in (("train", "of training"), ("total", "in all"))
             if name in timings]  # fmt: skip
    return ", ".join(parts)


def _verdict(run: Run, own: OwnComparison) -> Iterator[tuple[str, str]]:
    try:
        report = read_report(run)
    except ConfigError:
        if run.checkpoints:
            command = suggestion("compare", run.run_id, *output_option(run.folder.parent))
            why = "stale, the report is about another adapter" if own.fault == STALE else "not compared yet"
            yield "verdict", f"{why}: {command}"
        return
    verdict = report.verdict
    reasons = [one.reason(user_texts()) for one in verdict.why]
    more = [message(f"and {len(reasons) - SHOWN} more")] if len(reasons) > SHOWN else []
    yield "verdict", "; ".join([user_texts()(f"why.word.{verdict_key(verdict.to_dict())}"), *reasons[:SHOWN], *more])
    yield "own limits", ", ".join(f"{_name(name)} {limit:g}" for name, limit in limits_of(own).items())
    measured = [(name, value) for name, value in report.values.items() if value is not None]
    yield "metrics", ", ".join(f"{_name(name)} {figure(value)}" for name, value in measured)
    if report.test is not None:
        scores = [f"{one.name} {one.before:.3f} -> {one.after:.3f}" for one in report.test.scores]
        yield "scores", f"{', '.join(scores)} ({counted(report.test.answered, 'row')} of {report.test.path})"
    yield "report", str(run.folder / COMPARISON / REPORT_PAGE)


def _name(metric: str) -> str:
    return user_texts()(f"metric.{metric}.name") if is_asked_for() and metric in METRICS else metric


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
