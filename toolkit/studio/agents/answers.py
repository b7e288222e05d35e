"""What agents read: a verdict, a job, a data set and the runs, short enough for a context window. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.compare.metrics import ProbeResult
from toolkit.compare.report.advice import advice
from toolkit.compare.report.figures import LEDGERS, Line, figure, first_changed, interval, ledger_lines, outcome
from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts
from toolkit.core.text import one_line
from toolkit.runs.runs import Summary

LONGEST = 300  # characters of a question or an answer
MOST_FINDINGS = 12
LEARNED = 2  # answers that show the change itself
LEVELS = ("error", "warning", "note")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One question to both sides. `mark`: failed, residue, leaked or moved; passed for a learned one."""

    question: str
    group: str
    mark: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A metric under the system prompt where it is worst; `needs`: its limit, "" if it is not judged."""

    metric: str
    value: str
    interval_95: str
    n: int
    needs: str
    met: bool


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`exit_code`: of toolkit compare: 0 passed, 20 not learned, 21 something else moved, 22 both.

    `answers`: those that matter; `left_out`: how many more are wrong or moved. `report`: all of it, a resource.
    """

    run: str
    verdict: str
    outcome: str
    exit_code: int
    reasons: list[str]
    advice: list[str]
    figures: list[Figure]
    answers: list[Answer]
    left_out: int
    report: str


@dataclass(frozen=True, kw_only=True)
class Work:
    """A job: `state` running, done, stopped, failed or lost. What it has made is named once it is there."""

    job: int
    state: str
    command: str
    progress: str = ""
    error: str = ""
    data: str = ""
    run: str = ""
    folder: str = ""
    verdict: Verdict | None = None
    next: str = ""


@dataclass(frozen=True, kw_only=True)
class Finding:
    level: str
    message: str
    row: int | None = None
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """`sound`: a training takes the file as it is. `rows`: its first ones, as question and answer."""

    data: str
    sound: bool
    findings: list[Finding]
    left_out: int
    rows: list[str]
    next: str


@dataclass(frozen=True, kw_only=True)
class BothAnswers:
    question: str
    run: str
    before: str
    after: str
    same: bool


@dataclass(frozen=True, kw_only=True)
class RunLine:
    run: str
    status: str
    data: str
    rows: int | None
    recipe: str
    verdict: str
    latest: bool
    note: str


@dataclass(frozen=True, kw_only=True)
class Here:
    """What the work folder has. `job`: the one that runs."""

    data: list[str]
    runs: list[RunLine]
    earlier_runs: int
    job: int | None = None
    progress: str = ""


def verdict_of(run_id: str, report: Report, most: int) -> Verdict:
    """`most`: how many wrong or moved answers are quoted; the worst come first."""
    texts, changed = Texts(), first_changed(report)
    learned = [one for one in report.results if one.passed and one.changed][:LEARNED]
    return Verdict(
        run=run_id, verdict=report.verdict.sentence(texts), outcome=report.verdict.outcome,
        exit_code=report.verdict.exit_code, reasons=list(report.verdict.reasons), advice=advice(report, texts),
        figures=[_figure(line) for ledger in LEDGERS for line in ledger_lines(report, ledger)],
        answers=[_answer(one) for one in (*changed[:most], *learned)], left_out=max(0, len(changed) - most),
        report=report_uri(run_id),
    )  # fmt: skip


def checked(name: str, found: Mapping[str, Any], rows: Sequence[str]) -> Checked:
    """From what `toolkit check --json` says."""
    findings = sorted(found["findings"], key=lambda one: LEVELS.index(one["level"]))
    sound = not any(one["level"] == LEVELS[0] for one in findings)
    train = f'Train on it: finetune(data="{name}").'
    return Checked(
        data=name, sound=sound, rows=[short(row) for row in rows],
        findings=[_finding(one) for one in findings[:MOST_FINDINGS]], left_out=max(0, len(findings) - MOST_FINDINGS),
        next=train if sound else "Correct the rows in the file, and check again.",
    )  # fmt: skip


def run_line(one: Summary, note: str) -> RunLine:
    return RunLine(
        run=one.run_id, status=one.status, data=one.data, rows=one.rows, recipe=one.recipe,
        verdict=_verdict(one), latest=one.latest, note=short(note),
    )  # fmt: skip


def _verdict(one: Summary) -> str:
    """Marked where the limits were the user's; `stale` where the run has changed since it was compared."""
    return "stale" if one.stale else f"{one.verdict or ''}{', by own limits' if one.own_limits else ''}"


def without_empty(value: Any) -> Any:
    """The same without None and empty texts, lists and objects; False and 0 say something, and stay."""
    if isinstance(value, dict):
        inner = {name: without_empty(one) for name, one in value.items()}
        return {name: one for name, one in inner.items() if one not in (None, "", [], {})}
    return [without_empty(one) for one in value] if isinstance(value, list) else value


def report_uri(run_id: str) -> str:
    return f"toolkit://runs/{run_id}/report"


def short(text: str) -> str:
    """On one line, with an ellipsis where it was cut."""
    line = one_line(text.strip())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _figure(line: Line) -> Figure:
    return Figure(
        metric=line.name, value="" if line.metric.value is None else figure(line.metric.value),
        interval_95=interval(line.metric), n=line.metric.n, needs=line.needs, met=not line.missed,
    )  # fmt: skip


def _answer(one: ProbeResult) -> Answer:
    return Answer(
        question=short(one.probe.prompt), group=one.probe.group, mark=outcome(one),
        before=short(one.before), after=short(one.after),
    )  # fmt: skip


def _finding(one: Mapping[str, Any]) -> Finding:
    return Finding(
        level=one["level"], message=short(one["message"]), row=one.get("row"), remedy=short(one.get("remedy") or "")
    )
