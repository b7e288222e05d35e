"""A report as Markdown, for a pull request or a chat. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from toolkit.compare.discovery.sentences import scan_parts
from toolkit.compare.metrics import Metric, ProbeResult
from toolkit.compare.report.ability import (
    COLUMNS,
    ability_changes,
    ability_notes,
    ability_rows,
    ability_sentence,
    thinking_sentence,
)
from toolkit.compare.report.advice import advice
from toolkit.compare.report.figures import (
    LEDGERS,
    PER_SYSTEM,
    Line,
    changed_and_wrong,
    describe_flips,
    figure,
    format_value,
    grouped,
    interval,
    ledger_lines,
    outcome,
    prompt_in_context,
    where_it_holds,
    wrong_first,
)
from toolkit.compare.report.learned import QuestionList, learned_from, question_lists
from toolkit.compare.report.report import Report
from toolkit.compare.report.scores import COLUMNS as SCORE_COLUMNS
from toolkit.compare.report.scores import score_rows, score_sentences
from toolkit.compare.texts import Texts, system_name
from toolkit.compare.verdict import misses
from toolkit.core.text import markdown, markdown_code
from toolkit.runs.questions import RunQuestion

SHOWN_FIRST = 10  # changed and wrong answers at the top
MARKS = {"met": "✅", "open": "❔", "missed": "❌"}
LONGEST_CHARS = 60_000  # a comment on GitHub holds 65,536
ABILITY_CHARS = 5_000  # of these, for the answers that flipped, by direction
QUESTION_CHARS = {"in": 12_000, "near": 4_000}  # of these, for the questions beside the rows, by scope


def render_markdown(report: Report, texts: Texts, questions: Sequence[RunQuestion] = ()) -> str:
    """The verdict, what changed, the two ledgers, the system prompts, what it learned from, then every probe.

    `questions`: those that `report.questions` counts.
    """
    parts = [*_verdict(report, texts), *_changed(report, texts)]
    for ledger in LEDGERS:
        parts += _ledger(report, ledger, texts)
    parts += _thinking(report, texts)
    parts += _flips(report, texts)
    if len(report.per_system) > 1:
        parts += _systems(report, texts)
    parts += _scores(report, texts)
    parts += _ability(report, texts)
    parts += _scan(report, texts)
    parts += _learned(report, texts, questions)
    room = LONGEST_CHARS - sum(len(part) + 1 for part in parts)
    return "\n".join([*parts, *_probes(report, texts, room)])


def _verdict(report: Report, texts: Texts) -> Iterator[str]:
    yield from (f"# {report.verdict.sentence(texts)}", "")
    yield from (f"- {markdown(one.reason(texts))}" for one in report.verdict.why)
    yield from [""] * bool(report.verdict.why)
    if figures := report.verdict.by_figures(texts):
        yield from (markdown(figures), "")
    if todo := advice(report, texts):
        yield from (f"**{texts('advice.title')}**", "", *(f"- {markdown(one)}" for one in todo), "")
    for name, side in (("Before", report.before), ("After", report.after)):
        yield f"{texts(f'side.{name}')}{texts('colon')}{_side(side, texts)}  "  # two spaces end a line
    yield ""
    if len(report.per_system) > 1:
        yield from (texts("ledger.worst", count=len(report.per_system)), "")


def _changed(report: Report, texts: Texts) -> Iterator[str]:
    """The first changed and wrong answers, at the top: a reader should not have to look for them."""
    if found := changed_and_wrong(report):
        several = len(report.per_system) > 1
        title = f"{texts('probe.changed_first')} ({len(found)})"
        yield from (f"## {title}", "", *_probe_head(texts, several))
        yield from (_probe_row(one, texts, several_systems=several) for one in found[:SHOWN_FIRST])
        yield ""
        if len(found) > SHOWN_FIRST:
            yield from (texts("probe.below", count=len(found) - SHOWN_FIRST), "")


def _ledger(report: Report, ledger: str, texts: Texts) -> Iterator[str]:
    head = [texts(f"ledger.{name}") for name in ("metric", "value", "interval", "n", "needs")]
    yield from (f"## {texts(f'ledger.{ledger}')}", "", *_table_head([*head, ""]))
    yield from (_row(line, texts) for line in ledger_lines(report, ledger))
    yield ""


def _row(line: Line, texts: Texts) -> str:
    name = f"{texts(f'metric.{line.name}.name')}{texts('colon')}{texts(line.meaning)}"
    metric = line.metric
    verdict = "" if line.limit is None or metric.value is None else MARKS[line.decision or "met"]
    cells = (name, format_value(metric, texts), interval(metric), str(metric.n), line.needs, verdict)
    return f"| {' | '.join(cells)} |"


def _thinking(report: Report, texts: Texts) -> Iterator[str]:
    if report.thinking is not None:
        yield from (markdown(thinking_sentence(report.thinking, texts)), "")


def _flips(report: Report, texts: Texts) -> Iterator[str]:
    if sentences := describe_flips(report.flips, texts).values():
        yield f"{texts('flips.title')} ({texts('flips.explained')}){texts('colon')}".rstrip()
        yield ""
        yield from (f"- {one}" for one in sentences)
        yield ""


def _systems(report: Report, texts: Texts) -> Iterator[str]:
    names = [texts(f"metric.{name}.name") for name in PER_SYSTEM]
    yield from (f"## {texts('system.title')}", "")
    if sentence := where_it_holds(report, texts):
        yield from (f"**{markdown(sentence)}**", "")
    yield from _table_head([texts("system.one"), "", *names])
    for system, metrics in report.per_system.items():
        kind = texts(f"system.kind.{report.systems[system]}")
        values = [_cell(metrics[name], name, report.thresholds) for name in PER_SYSTEM]
        yield f"| {' | '.join([markdown(system_name(system, texts)), kind, *values])} |"
    yield ""


def _scan(report: Report, texts: Texts) -> Iterator[str]:
    """For words and for open questions: a sentence, and a line for each finding."""
    if report.scan is not None:
        yield from (f"## {texts('scan.title')}", "")
        for sentence, *lines in scan_parts(report.scan, texts):
            yield from (markdown(sentence), "", *(f"- {markdown(one)}" for one in lines))
            yield from ("",) if lines else ()


def _scores(report: Report, texts: Texts) -> Iterator[str]:
    """On rows that were not trained: sentences, and a row a score."""
    if (found := report.test) is None:
        return
    yield from (f"## {texts('test.title')}", "")
    yield from (f"- {markdown(one)}" for one in score_sentences(found, texts))
    yield ""
    yield from _table_head([texts(f"test.column.{name}") for name in SCORE_COLUMNS])
    yield from (f"| {' | '.join(map(markdown, row))} |" for row in score_rows(found, texts))
    yield ""


def _ability(report: Report, texts: Texts) -> Iterator[str]:
    """A sentence, a row a group, and a folded section of the answers behind each number."""
    if (found := report.ability) is None:
        return
    yield from (f"## {texts('ability.title')}", "")
    yield from (f"- {markdown(one)}" for one in (ability_sentence(found, texts), *ability_notes(found, texts)) if one)
    yield ""
    if found.groups:
        yield from _table_head([*(texts(f"ability.column.{name}") for name in COLUMNS), ""])
        for row in ability_rows(found, texts):
            yield f"| {' | '.join([*map(markdown, row.cells), '❌' if row.significant else ''])} |"
        yield ""
    for part in ability_changes(found, texts):
        yield from (f"<details><summary>{part.title}</summary>", "")
        yield from _table_head([texts(f"ability.column.{name}") for name in ("group", "before", "after")])
        cells = [(f"{name}: {one.prompt}", one.before, one.after) for one, name in part.shown]
        rows = [f"| {' | '.join(map(markdown, row))} |" for row in cells]
        shown = _fitting(rows, ABILITY_CHARS)
        yield from (*shown, "")
        if len(shown) < len(rows):
            yield from (markdown(texts("ability.changes.more", count=len(rows) - len(shown))), "")
        yield from ("</details>", "")


def _fitting(rows: Sequence[str], room: int) -> list[str]:
    """The first rows that have room for so many characters together."""
    found = []
    for row in rows:
        room -= len(row) + 1
        if room < 0:
            break
        found.append(row)
    return found


def _learned(report: Report, texts: Texts, questions: Sequence[RunQuestion]) -> Iterator[str]:
    """A sentence, and a folded section per scope."""
    if report.questions is None:
        return
    yield from (f"## {texts('question.title')}", "", markdown(learned_from(report, texts)), "")
    if not questions:
        yield from (markdown(texts("question.changed", file=report.questions.file)), "")
    for one in question_lists(questions, texts):
        yield from _question_list(one, report.questions.file, texts)


def _question_list(one: QuestionList, file: str, texts: Texts) -> Iterator[str]:
    """As many questions as fit, and the number of the others."""
    head = [texts(f"question.{name}") for name in ("kind_of", "answer", "before")]
    yield from (f"<details><summary>{one.title}</summary>", "")
    yield from _table_head([texts("probe.prompt"), *head]) if one.scope == "in" else ()
    room, left_out = QUESTION_CHARS[one.scope], one.hidden
    for question, kind in one.shown:
        cells = map(markdown, (question.prompt, kind, question.answer, question.before))
        row = f"| {' | '.join(cells)} |" if one.scope == "in" else f"- {markdown(question.prompt)}"
        left_out += len(row) + 1 > room
        if len(row) + 1 <= room:
            room -= len(row) + 1
            yield row
    yield ""
    if left_out:
        yield from (markdown(texts("question.more", count=left_out, file=file)), "")
    yield from ("</details>", "")


def _cell(metric: Metric, name: str, thresholds: Mapping[str, float]) -> str:
    if metric.value is None:
        return ""
    return f"**{figure(metric.value)}** ❌" if misses(name, metric.value, thresholds) else figure(metric.value)


def _side(side: Mapping[str, object], texts: Texts) -> str:
    kind = texts(f"side.{side['kind']}")
    return f"{markdown_code(str(side['name']))} ({kind})"


def _probes(report: Report, texts: Texts, room: int) -> Iterator[str]:
    """One folded section per group, with as many rows as fit."""
    several = len(report.per_system) > 1
    left_out = 0
    for group, results in grouped(report.results).items():
        title = f"{texts('probe.title')}{texts('colon')}{texts(f'probe.{group}')}"
        yield from (head := [f"<details><summary>{title} ({len(results)})</summary>", "", *_probe_head(texts, several)])
        room -= sum(len(line) + 1 for line in head) + len("\n</details>\n\n")
        for one in wrong_first(results, report.thresholds):
            row = _probe_row(one, texts, several_systems=several)
            if len(row) + 1 > room:
                left_out += 1
                continue
            room -= len(row) + 1
            yield row
        yield from ("", "</details>", "")
    if left_out:
        yield texts("probe.more", count=left_out)
        yield ""


def _probe_head(texts: Texts, several_systems: bool) -> list[str]:
    side = [texts("probe.prompt"), texts("side.before"), texts("side.after"), ""]
    return _table_head([texts("system.one"), *side] if several_systems else side)


def _probe_row(one: ProbeResult, texts: Texts, *, several_systems: bool) -> str:
    system = one.system if one.probe.system is None else one.probe.system
    cells = (system_name(system, texts),) * several_systems + (
        prompt_in_context(one.probe, texts),
        one.before,
        one.after,
    )
    return f"| {' | '.join(map(markdown, cells))} | {texts(f'mark.{outcome(one)}')} |"


def _table_head(cells: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(cells)} |", "|---" * len(cells) + "|"]
