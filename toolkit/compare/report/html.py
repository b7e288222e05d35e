"""The only user of jinja2 for reports: one HTML file that needs no network and no script, and lets none run."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from toolkit import __version__
from toolkit.compare.discovery.sentences import scan_parts
from toolkit.compare.metrics import ProbeResult
from toolkit.compare.report.ability import (
    COLUMNS,
    ability_changes,
    ability_notes,
    ability_rows,
    ability_sentence,
    thinking_sentence,
)
from toolkit.compare.report.advice import advice
from toolkit.compare.report.charts import HEIGHT, LEAST_END, LEFT, WIDTH, Bar, bar, curve, stacked
from toolkit.compare.report.figures import (
    LEDGERS,
    PER_SYSTEM,
    WRONG,
    Line,
    describe_flips,
    earlier,
    figure,
    first_changed,
    format_value,
    interval,
    ledger_lines,
    outcome,
    where_it_holds,
    wrong_first,
)
from toolkit.compare.report.filters import Filters
from toolkit.compare.report.learned import learned_from, question_lists
from toolkit.compare.report.report import Report
from toolkit.compare.report.scores import score_view
from toolkit.compare.report.spans import differences, marked
from toolkit.compare.texts import Texts, catalogue, system_name
from toolkit.compare.verdict import AT_LEAST, HALVES, THINKING, THOUGHT, misses
from toolkit.core.text import printable
from toolkit.data.probing.expectation import Expectation
from toolkit.data.tools.calls import json_text
from toolkit.runs.layout import REPORT_SCHEMA_VERSION
from toolkit.runs.questions import RunQuestion
from toolkit.runs.training_log import COMPARISON_PHASES, TrainingLog, phases

TEMPLATES, TEMPLATE = Path(__file__).parent, "report.html.jinja"
NO_SHARE = ("kl", "length", "repetition", THINKING, THOUGHT)
CHINESE = re.compile(r"[\u3400-\u9fff]")
SHOWN_FIRST = 6  # changed and wrong questions at the top
GIB = 2**30


def render_html(report: Report, log: TrainingLog | None, texts: Texts, questions: Sequence[RunQuestion] = ()) -> str:
    """`log` None: the after side is not a run. `questions`: those that `report.questions` counts."""
    systems = list(report.per_system)
    filters = Filters(report, texts)
    return fill_in(
        TEMPLATES / TEMPLATE,
        more_style=filters.style,
        filters=filters,
        headline=headline(report, filters.named, texts),
        reasons=[(one.reason(texts), filters.link(one.metric, one.system)) for one in report.verdict.why],
        advice=advice(report, texts),
        first=[_probe(one, filters, texts) for one in first_changed(report)[:SHOWN_FIRST]],
        changed_count=len(first_changed(report)),
        schema_version=REPORT_SCHEMA_VERSION,
        t=texts,
        report=report,
        ledgers={
            ledger: [drawn_metric(line, report, filters.link, texts) for line in ledger_lines(report, ledger)]
            for ledger in LEDGERS
        },
        half_words={name: _half_words(name, report, texts) for name in HALVES},
        where_it_holds=where_it_holds(report, texts),
        flips=[(sentence, filters.named(name)) for name, sentence in describe_flips(report.flips, texts).items()],
        systems=[_system(system, report, filters, texts) for system in systems],
        columns=PER_SYSTEM,
        partly=len({metrics["kl"].n > 0 for metrics in report.per_system.values()}) > 1,
        probes=[_probe(one, filters, texts) for one in wrong_first(report.results, report.thresholds)],
        training=None if log is None else _training(log),
        ability=_ability(report, texts),
        thinking=None if report.thinking is None else thinking_sentence(report.thinking, texts),
        scores=None if report.test is None else score_view(report.test, texts),
        scan_parts=[] if report.scan is None else scan_parts(report.scan, texts),
        learned_from=learned_from(report, texts),
        questions=question_lists(questions, texts),
        time=stacked(phases(report.timings_s, COMPARISON_PHASES), report.timings_s.get("total", 0.0)),
        chart={"width": WIDTH, "height": HEIGHT, "left": LEFT},
        figure=figure,
        lang=language_of,
        earlier=earlier,
        version=__version__,
    )


def _half_words(name: Literal["took", "kept"], report: Report, texts: Texts) -> str:
    """The decision on a half of the verdict; an open one is for want of probes only where a figure is undecided."""
    half = report.verdict.half(name)
    too_few = any(one.metric in HALVES[name] for one in report.verdict.undecided)
    return texts("ledger.unshown" if half == "open" and not too_few else f"ledger.{name}_{half}")


def _ability(report: Report, texts: Texts) -> Mapping[str, Any] | None:
    """What the template shows of abilities; None for a report without them."""
    if (found := report.ability) is None:
        return None
    return {
        "sentence": ability_sentence(found, texts), "outcome": found.outcome, "notes": ability_notes(found, texts),
        "columns": COLUMNS, "rows": ability_rows(found, texts) if found.groups else [],
        "changes": ability_changes(found, texts),
    }  # fmt: skip


def fill_in(template: Path, *, more_style: str = "", **values: Any) -> str:
    """A rendered page; its content security policy allows its own style, by hash, and nothing else."""
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8") + more_style
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return str(
        _environment(template.parent).get_template(template.name).render(style=style, style_hash=hashed, **values)
    )


def make_ready() -> None:
    """Has the page's words and template in memory, for this process and those that are forked from it."""
    catalogue()
    _environment(TEMPLATES).get_template(TEMPLATE)


@cache
def _environment(folder: Path) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader([folder, TEMPLATES]), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_printable,
    )  # fmt: skip


def _printable(value: Any) -> Any:
    """Without control characters; markup from the template stays markup."""
    return type(value)(printable(value)) if isinstance(value, str) else value


def headline(report: Report, named: Callable[[str], str], texts: Texts) -> list[tuple[str, str]]:
    """The verdict's sentence in parts, each with the fragment of the answers behind it, empty for words.

    `named`: the fragment behind `learned`, `leaked` or `changed`.
    """
    counts = report.verdict.counts
    parts = [(report.verdict.head(texts), "")]
    for at, (name, text) in enumerate(counts.parts(texts).items()):
        parts += [(texts("colon") if at == 0 else counts.join(name, texts), ""), (text, named(name))]
    return [*parts, (texts("stop"), "")]


def drawn_metric(
    line: Line, report: Report, link: Callable[[str, str | None], str], texts: Texts, *, least_end: float = LEAST_END
) -> dict[str, Any]:
    """What a template shows of a metric. `link`: to the answers it was taken over; `least_end`: of its scale."""
    metric = line.metric
    noise = report.values["noise_floor"] if line.name == "locality" else None
    drawn: Bar = bar(
        value=metric.value, low=metric.low, high=metric.high, limit=line.limit, noise=noise,
        share=line.name not in NO_SHARE, small_is_good=line.name not in (*AT_LEAST, "noise_floor", "length"),
        least_end=max(least_end, 2.0 if line.name == "length" else LEAST_END),
    )  # fmt: skip
    under = [metrics[line.name] for metrics in report.per_system.values() if line.name in metrics]
    differs = len({one.value for one in under if one.n}) > 1
    return {
        "line": line,
        "value": format_value(metric, texts),
        "interval": interval(metric),
        "bar": drawn,
        "at_least": line.name in AT_LEAST,
        "link": link(line.name, line.system),
        "under": system_name(line.system, texts) if differs else None,
    }


def _system(system: str, report: Report, filters: Filters, texts: Texts) -> dict[str, Any]:
    metrics = report.per_system[system]
    kind = texts(f"system.kind.{report.systems[system]}")
    return {
        "name": system_name(system, texts),
        "kind": kind,
        "cells": [
            (
                name,
                metrics[name].value,
                misses(name, metrics[name].value, report.thresholds),
                filters.link(name, system),
            )
            for name in PER_SYSTEM
        ],
    }


def _probe(one: ProbeResult, filters: Filters, texts: Texts) -> dict[str, Any]:
    old, new = differences(one.before, one.after)
    word = outcome(one)
    return {
        "result": one,
        "system": filters.systems.index(one.system),
        "group": filters.groups.index(one.probe.group),
        "behind": filters.sets_of(one),
        "mark": word,
        "wrong": word in WRONG,
        "before": marked(old),
        "after": marked(new),
        "thoughts": one.thoughts,
        "expected": expected(one.probe.expect, texts),
    }


def expected(expect: Expectation | None, texts: Texts) -> str:
    """In words."""
    if expect is None:
        return texts("probe.expect.unchanged")
    parts = []
    for name, wanted in expect.to_dict().items():
        listed = [one if isinstance(one, str) else json_text(one) for one in wanted]
        joined = wanted if isinstance(wanted, str) else ", ".join(listed) or texts("probe.no_call")
        parts.append(texts(f"probe.expect.{name}", texts=joined))
    return "; ".join(parts)


def _training(log: TrainingLog) -> dict[str, Any]:
    losses = {"loss": [(float(one.step), one.loss) for one in log.steps]}
    rows = [(float(one.step), one.cross_entropy) for one in log.steps if one.cross_entropy is not None]
    if rows and any(value != loss for (_, value), (_, loss) in zip(rows, losses["loss"], strict=False)):
        losses["cross_entropy"] = rows
    peak, total = log.peak_memory_bytes, log.memory_bytes
    return {
        "rows": log.record.data.rows,
        "trained_steps": log.record.train.steps,
        "recipe": log.record.recipe.name,
        "seed": log.record.seed,
        "device": log.record.hardware.name or log.record.hardware.device,
        "data": log.record.data,
        "versions": {name: number for name, number in log.record.versions.items() if number},
        "curve": curve(losses),
        "first": losses["loss"][0][1] if losses["loss"] else None,
        "last": losses["loss"][-1][1] if losses["loss"] else None,
        "steps": len(log.steps),
        "time": stacked(log.seconds, log.total_seconds),
        "total_s": log.total_seconds,
        "peak": None if not peak else f"{peak / GIB:.1f} GiB",
        "memory": None if not total else f"{total / GIB:.1f} GiB",
        "memory_share": round(100 * peak / total, 1) if peak and total else None,
    }


def language_of(text: str) -> str:
    """So that a browser picks the right glyphs and line breaks."""
    return "zh-CN" if CHINESE.search(text) else "en"
