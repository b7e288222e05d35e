"""The page of a pair: both verdicts, every figure of both with its difference, and three answers to each question."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from toolkit import __version__
from toolkit.compare.decision import DEEP, Unmeasured
from toolkit.compare.metrics import ProbeResult
from toolkit.compare.report.ability import group_name
from toolkit.compare.report.charts import LEAST_END
from toolkit.compare.report.choices import ALL, ANSWERS, Choices
from toolkit.compare.report.figures import LEDGERS, WRONG, Line, earlier, figure, ledger_lines, outcome
from toolkit.compare.report.filters import answers_behind, numbered, set_name
from toolkit.compare.report.html import NO_SHARE, drawn_metric, expected, fill_in, headline, language_of
from toolkit.compare.report.pair.abilities import Abilities, AbilityDifference, abilities
from toolkit.compare.report.pair.difference import Difference, differences, separates
from toolkit.compare.report.pair.explanation import explanation
from toolkit.compare.report.pair.named import named
from toolkit.compare.report.pair.pair import LEFT, RIGHT, SIDES, Pair, Question, of_every_group, on_side, once_each
from toolkit.compare.report.pair.words import counts, p_value, points, signed, span
from toolkit.compare.report.report import Report
from toolkit.compare.report.spans import differences as marked_differences
from toolkit.compare.report.spans import marked
from toolkit.compare.texts import Texts, system_name
from toolkit.compare.verdict import Shortfall
from toolkit.runs.comparison import RATIO

TEMPLATE = Path(__file__).with_name("pair.html.jinja")
SHOWN_FIRST = 6  # questions at the top


class PairFilters(Choices[Question]):
    """By what became of the two answers, group and system prompt."""

    def __init__(self, pair: Pair, texts: Texts) -> None:
        self.systems = pair.systems
        self.groups = list(dict.fromkeys(one.either.probe.group for one in pair.questions))
        names = {side: pair.of(side).name for side in SIDES}
        kinds = {name: holds for name, holds in KINDS.items() if any(map(holds, pair.questions))}
        shown = {
            ANSWERS: {ALL: texts("filter.all")} | {name: texts(f"pair.axis.{name}", **names) for name in kinds},
            "group": numbered([texts(f"probe.{group}") for group in self.groups], texts),
            "system": numbered([system_name(system, texts) for system in self.systems], texts),
        }  # fmt: skip
        if len(self.systems) == 1:
            del shown["system"]["0"]
        belongs = {
            ANSWERS: kinds,
            "group": {str(at): _in_group(group) for at, group in enumerate(self.groups)},
            "system": {str(at): _under(system) for at, system in enumerate(self.systems)},
        }  # fmt: skip
        super().__init__(pair.questions, shown, belongs, self._behind_numbers(pair))

    def of_side(self, side: str, pair: Pair) -> Callable[[str, str | None], str]:
        """Links to the answers that a side's figures were taken over."""
        systems = list(pair.of(side).report.per_system)
        return lambda metric, system: self.named(f"{side}-{set_name(metric, system, systems)}")

    def _behind_numbers(self, pair: Pair) -> dict[str, Callable[[Question], bool]]:
        found = dict(KINDS)
        for side in SIDES:
            for name, holds in answers_behind(pair.of(side).report).items():
                found[f"{side}-{name}"] = on_side(side, holds)
        found["base"] = lambda one: not one.same_before
        found["alike"] = lambda one: one.in_both and not one.better
        found["unlike"] = lambda one: bool(one.better)
        return found | {f"differ-{name}": _separating(name) for name in differences(pair)}


def _is_wrong(one: ProbeResult | None) -> bool:
    return one is not None and outcome(one) in WRONG


KINDS: Mapping[str, Callable[[Question], bool]] = {
    "better-left": lambda one: one.better == LEFT,
    "better-right": lambda one: one.better == RIGHT,
    "differ": lambda one: one.differs,
    "wrong": lambda one: _is_wrong(one.left) or _is_wrong(one.right),
    "only-left": lambda one: one.right is None,
    "only-right": lambda one: one.left is None,
}  # fmt: skip


def _in_group(group: str) -> Callable[[Question], bool]:
    return lambda one: one.either.probe.group == group


def _under(system: str) -> Callable[[Question], bool]:
    return lambda one: one.either.system == system


def _separating(name: str) -> Callable[[Question], bool]:
    return lambda one: separates(name, one)


def render_pair(pair: Pair, texts: Texts) -> str:
    """The page's HTML: no network, no script."""
    filters = PairFilters(pair, texts)
    found = differences(pair)
    unlike = once_each([one for one in pair.both if one.better])
    return fill_in(
        TEMPLATE,
        more_style=TEMPLATE.with_name("pair.css").read_text(encoding="utf-8") + filters.style,
        t=texts,
        pair=pair,
        sides=[_side(side, pair, filters, texts) for side in SIDES],
        counts=[(text, filters.named(name)) for name, text in counts(pair, texts).items()],
        sentence=explanation(pair.left.run, pair.right.run, texts),
        named=[(text, filters.named(name)) for text, name in named(pair, texts)],
        ledgers={ledger: _metrics(ledger, pair, found, filters, texts) for ledger in LEDGERS},
        first=[_question(one, pair, filters, texts) for one in of_every_group(unlike, SHOWN_FIRST)],
        unlike_count=len(unlike),
        filters=filters,
        questions=[_question(one, pair, filters, texts) for one in pair.questions],
        ability=_ability(abilities(pair), pair, texts),
        earlier=earlier,
        lang=language_of,
        version=__version__,
    )


def _side(side: str, pair: Pair, filters: PairFilters, texts: Texts) -> dict[str, Any]:
    one = pair.of(side)
    link = filters.of_side(side, pair)
    return {
        "name": side, "title": one.name, "run": one.run, "report": one.report, "verdict": one.report.verdict,
        "headline": headline(one.report, lambda name: filters.named(f"{side}-{name}"), texts),
        "reasons": [(why.reason(texts), link(why.metric, why.system)) for why in _one_of_each(one.report)],
        "versions": {name: number for name, number in one.run.record.versions.items() if number},
    }  # fmt: skip


def _one_of_each(report: Report) -> list[Shortfall | Unmeasured]:
    """The reason of each metric, of several that under its worst system prompt; the run's own report has all."""
    found: dict[str, Shortfall | Unmeasured] = {}
    for one in report.verdict.why:
        worst = report.figures[one.metric].system if one.metric in report.figures else None
        if one.metric not in found or one.system == worst:
            found[one.metric] = one
    return list(found.values())


def _metrics(
    ledger: str, pair: Pair, found: Mapping[str, Difference], filters: PairFilters, texts: Texts
) -> list[dict[str, Any]]:
    """Each metric of the ledger with both runs' figures on one scale, and their difference."""
    lines = {side: {one.name: one for one in ledger_lines(pair.of(side).report, ledger)} for side in SIDES}
    names = [name for name in LEDGERS[ledger] if any(_measured(lines[side].get(name)) for side in SIDES)]
    return [
        {
            "name": name,
            "sides": [
                {
                    "title": pair.of(side).name, "name": side,
                    "drawn": drawn_metric(
                        lines[side][name], pair.of(side).report, filters.of_side(side, pair), texts,
                        least_end=_end([lines[one].get(name) for one in SIDES]),
                    ) if name in lines[side] else None,
                }
                for side in SIDES
            ],
            "difference": None if name not in found else _difference(name, found[name], pair, filters, texts),
            "compared": name not in (*NO_SHARE, "noise_floor") or name in found,
        }
        for name in names
    ]  # fmt: skip


def _measured(line: Line | None) -> bool:
    return line is not None and (line.metric.n > 0 or line.name not in DEEP)


def _end(lines: list[Line | None]) -> float:
    """What a scale for both has to show."""
    shown = [bound for one in lines if one is not None for bound in (one.metric.value, one.metric.high)]
    return max([LEAST_END, *(one for one in shown if one is not None)])


def _difference(name: str, one: Difference, pair: Pair, filters: PairFilters, texts: Texts) -> dict[str, Any]:
    names = {side: pair.of(side).name for side in SIDES}
    tone = {LEFT: "bad", RIGHT: "good"}.get(one.better(name), "")
    return {
        "value": signed(one.value), "interval": span(one.low, one.high), "p": p_value(one.p, texts),
        "significant": one.significant, "tone": tone,
        "link": filters.named(f"differ-{name}"),
        "counts": texts(f"pair.{'longer' if name == RATIO else 'questions'}", **names, first=one.left_better,
                        second=one.right_better),
        "over": texts("pair.over", answers=one.answers, questions=one.questions, left=figure(one.left),
                      right=figure(one.right)),
    }  # fmt: skip


def _question(one: Question, pair: Pair, filters: PairFilters, texts: Texts) -> dict[str, Any]:
    result = one.either
    return {
        "result": result,
        "group": filters.groups.index(result.probe.group),
        "system": filters.systems.index(result.system),
        "system_name": system_name(result.system, texts),
        "classes": " ".join(name for name, holds in KINDS.items() if holds(one)),
        "behind": filters.sets_of(one),
        "expected": expected(result.probe.expect, texts),
        "before": [result.before] if one.same_before else [side.before for side in (one.left, one.right) if side],
        "answers": [_answer(side, one.of(side), pair) for side in SIDES],
    }


def _answer(side: str, one: ProbeResult | None, pair: Pair) -> dict[str, Any]:
    if one is None:
        return {"title": pair.of(side).name, "mark": None, "after": "", "spans": []}
    return {
        "title": pair.of(side).name, "mark": (word := outcome(one)), "after": one.after,
        "tone": "bad" if word in WRONG else "warn" if word == "moved" else "good",
        "spans": marked(marked_differences(one.before, one.after)[1]),
    }  # fmt: skip


def _ability(found: Abilities | None, pair: Pair, texts: Texts) -> dict[str, Any] | None:
    if found is None:
        return None
    only = {side: texts("pair.ability.only", name=pair.of(side).name) for side in SIDES}
    names = {
        "n": texts("ledger.n"), "before": texts("side.base"), **{side: pair.of(side).name for side in SIDES},
        **{f"only-{side}": only[side] for side in SIDES}, "points": texts("pair.ability.points"),
        "interval": texts("ability.column.interval"), "p": texts("ability.column.p"),
    }  # fmt: skip
    items = {side: [one for one in found.items if one.right_solves == (side == RIGHT)] for side in SIDES}
    return {
        "columns": names,
        "rows": [_ability_row(one, texts) for one in (*found.groups, *([found.total] if found.total else []))],
        "apart": ", ".join(group_name(name, texts) for name in found.apart),
        "lists": [
            (side, texts("pair.ability.items", name=pair.of(side).name, count=len(listed)),
             [(one, group_name(one.group, texts)) for one in listed])
            for side, listed in items.items() if listed
        ],
    }  # fmt: skip


def _ability_row(one: AbilityDifference, texts: Texts) -> dict[str, Any]:
    """`cells`: by column, with the items behind it where it counts some."""
    only = {"only-left": one.left_only, "only-right": one.right_only}
    cells = {"n": one.n, "before": one.before, "left": one.left, "right": one.right, **only}
    shown = {name: (str(count), f"#items-{name.removeprefix('only-')}" if only.get(name) else "")
             for name, count in cells.items()}  # fmt: skip
    shown |= {
        "points": (points(one.points), ""), "interval": (f"{points(one.low)} … {points(one.high)}", ""),
        "p": (f"{one.p:.2g}", ""),
    }  # fmt: skip
    return {
        "name": group_name(one.name, texts), "cells": shown, "significant": one.significant,
        "tone": "bad" if one.significant and one.points < 0 else "",
    }  # fmt: skip
