"""What differs between two rounds of the lab: verdict, figures and answers. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from toolkit.compare.decision import Unmeasured
from toolkit.compare.metrics import ProbeResult
from toolkit.compare.report.figures import LEDGERS, WRONG, Line, figure, ledger_lines, outcome
from toolkit.compare.report.report import Report
from toolkit.compare.verdict import Shortfall
from toolkit.data.probes import Probe

Key = tuple[str, Probe]
BETTER, WORSE, OTHER = "better", "worse", "other"


@dataclass(frozen=True, kw_only=True)
class ChangedFigure:
    """A metric whose figure, limit or decision differs."""

    before: Line | None
    after: Line


@dataclass(frozen=True, kw_only=True)
class ChangedAnswer:
    """An answer of both rounds under one system prompt whose words, or whose outcome, differ."""

    before: ProbeResult
    after: ProbeResult

    @property
    def direction(self) -> str:
        """BETTER or WORSE if its outcome is, else OTHER: in other words only."""
        before, after = _rank(self.before), _rank(self.after)
        return BETTER if after > before else WORSE if after < before else OTHER


@dataclass(frozen=True, kw_only=True)
class Changes:
    """`new`, `resolved` and `still`: reasons of the verdict; a reason is the same while metric and system prompt are.

    `answers`: the worse ones first, then the better. `in_both`: answers of both rounds; `added`, `removed`: answers to
    questions of one round only.
    """

    before: Report
    after: Report
    new: Sequence[Shortfall | Unmeasured]
    resolved: Sequence[Shortfall | Unmeasured]
    still: Sequence[Shortfall | Unmeasured]
    figures: Sequence[ChangedFigure]
    measured: int
    answers: Sequence[ChangedAnswer]
    in_both: int
    added: int
    removed: int

    @property
    def nothing(self) -> bool:
        return not (self.new or self.resolved or self.figures or self.answers or self.added or self.removed)

    def count(self, direction: str) -> int:
        return sum(one.direction == direction for one in self.answers)


def changes(before: Report, after: Report) -> Changes:
    """What the later report says differently."""
    old_reasons, new_reasons = _reasons(before), _reasons(after)
    old_lines, new_lines = _lines(before), _lines(after)
    old, new = _answers(before), _answers(after)
    both = [ChangedAnswer(before=old[key], after=new[key]) for key in new if key in old]
    differing = [
        one for one in both
        if one.before.after != one.after.after or outcome(one.before) != outcome(one.after)
    ]  # fmt: skip
    return Changes(
        before=before, after=after,
        new=[one for key, one in new_reasons.items() if key not in old_reasons],
        resolved=[one for key, one in old_reasons.items() if key not in new_reasons],
        still=[one for key, one in new_reasons.items() if key in old_reasons],
        figures=[
            ChangedFigure(before=old_lines.get(name), after=line) for name, line in new_lines.items()
            if name not in old_lines or _shown(line) != _shown(old_lines[name])
        ],
        measured=len(new_lines),
        answers=sorted(differing, key=lambda one: (WORSE, BETTER, OTHER).index(one.direction)),
        in_both=len(both), added=len(new) - len(both), removed=len(old) - len(both),
    )  # fmt: skip


def _reasons(report: Report) -> dict[tuple[str, str | None], Shortfall | Unmeasured]:
    return {(one.metric, one.system): one for one in report.verdict.why}


def _lines(report: Report) -> dict[str, Line]:
    """Of every metric that was measured."""
    lines = [line for ledger in LEDGERS for line in ledger_lines(report, ledger)]
    return {line.name: line for line in lines if line.metric.value is not None}


def _shown(line: Line) -> tuple[str, str, str | None]:
    return figure(line.metric.value or 0.0), line.needs, line.decision


def _answers(report: Report) -> Mapping[Key, ProbeResult]:
    """By system prompt and question: ids and expectations may change between two versions of a probe file."""
    return {(one.system, replace(one.probe, id="", expect=None)): one for one in report.results}


def _rank(one: ProbeResult) -> int:
    word = outcome(one)
    return 0 if word in WRONG else 1 if word == "moved" else 2
