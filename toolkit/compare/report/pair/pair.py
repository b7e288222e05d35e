"""Two finished comparisons of runs of one base model as one value: the questions of both, and of one only."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from toolkit.compare.metrics import ProbeResult
from toolkit.compare.report.figures import WRONG, outcome
from toolkit.compare.report.report import Report, read_report
from toolkit.core.errors import ConfigError
from toolkit.data.probes import DEPTH, OUT_OF_SCOPE, PARAPHRASE, TRAINED, Probe
from toolkit.runs.run import Run, find_run

LEFT, RIGHT = SIDES = ("left", "right")
FIRST_GROUPS = (OUT_OF_SCOPE, PARAPHRASE, TRAINED, *DEPTH)  # what a reader should see some of at the top
Key = tuple[str, Probe, int]  # system prompt, the question with its expectation, and its number among equal ones


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A run with the report of its comparison. `name`: as the page shows it, such as `v0 (article)`."""

    run: Run
    report: Report
    name: str


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question under one system prompt; None: that run was not asked it, or it was judged by another expectation."""

    left: ProbeResult | None
    right: ProbeResult | None

    @property
    def either(self) -> ProbeResult:
        one = self.left or self.right
        assert one is not None
        return one

    @property
    def in_both(self) -> bool:
        return self.left is not None and self.right is not None

    @property
    def same_before(self) -> bool:
        """Whether the base model answered both comparisons in the same words."""
        return self.left is None or self.right is None or self.left.before == self.right.before

    @property
    def better(self) -> str:
        """The side whose answer has the better outcome; empty if neither has, or it was asked of one only."""
        if self.left is None or self.right is None or (gap := _rank(self.right) - _rank(self.left)) == 0:
            return ""
        return RIGHT if gap > 0 else LEFT

    @property
    def differs(self) -> bool:
        """Whether both were asked and their words differ."""
        return self.left is not None and self.right is not None and self.left.after != self.right.after

    def of(self, side: str) -> ProbeResult | None:
        return self.left if side == LEFT else self.right


@dataclass(frozen=True, kw_only=True)
class Pair:
    """`questions`: those that both were asked, where they differ most first; then those of one only."""

    left: Compared
    right: Compared
    questions: Sequence[Question]

    @cached_property
    def both(self) -> list[Question]:
        return [one for one in self.questions if one.in_both]

    @cached_property
    def systems(self) -> list[str]:
        """Of both runs, in the order asked."""
        return list(dict.fromkeys((*self.left.report.per_system, *self.right.report.per_system)))

    def only(self, side: str) -> list[Question]:
        """The questions that only this side was asked."""
        return [one for one in self.questions if not one.in_both and one.of(side) is not None]

    def of(self, side: str) -> Compared:
        return self.left if side == LEFT else self.right


def read_pair(left: str, right: str, output: Path) -> Pair:
    """The pair of two runs, by id or folder.

    Raises ConfigError: the same run twice, a run without a report, other base models, no question in common.
    """
    runs = [find_run(name, output) for name in (left, right)]
    if runs[0].folder.resolve() == runs[1].folder.resolve():
        raise ConfigError(f"{left} and {right} are the same run.", next="Name two runs.")
    _require_one_base(runs)
    reports = [read_report(run) for run in runs]
    first, second = (
        Compared(run=run, report=report, name=name)
        for run, report, name in zip(runs, reports, _names(runs), strict=True)
    )
    found = Pair(left=first, right=second, questions=_questions(*reports))
    if not found.both:
        raise ConfigError(
            f"{runs[0].run_id} and {runs[1].run_id} were asked no question that is the same.",
            next="Compare both with one probe file, under the same system prompts.",
        )
    return found


def _require_one_base(runs: Sequence[Run]) -> None:
    """On the before side of both reports too, which is each run's own base: else the answers have nothing in common."""
    bases = [_base(run) for run in runs]
    if bases[0] != bases[1]:
        named = " and ".join(" ".join(str(part) for part in base if part) for base in bases)
        raise ConfigError(f"These runs have different base models: {named}.", next="Name two runs of one base model.")


def _base(run: Run) -> tuple[Any, ...]:
    base = run.record.base_model
    return base.name, base.revision, "in 4 bits" if base.load_in_4bit else ""


def _names(runs: Sequence[Run]) -> list[str]:
    """`v0 (article)`, without the recipe where it is the same; the folders of runs with the same number."""
    numbers = [run.run_id.partition("-")[0] for run in runs]
    names = numbers if len(set(numbers)) == len(runs) else [run.run_id for run in runs]
    if len(set(names)) < len(runs):
        names = [str(run.folder) for run in runs]
    recipes = [run.record.recipe.name for run in runs]
    if len(set(recipes)) < len(runs):
        return names
    return [f"{name} ({recipe})" for name, recipe in zip(names, recipes, strict=True)]


def _questions(left: Report, right: Report) -> list[Question]:
    old, new = dict(_keyed(left)), dict(_keyed(right))
    both = [Question(left=old[key], right=new[key]) for key in old if key in new]
    return [
        *sorted(both, key=_gap, reverse=True),
        *(Question(left=one, right=None) for key, one in old.items() if key not in new),
        *(Question(left=None, right=one) for key, one in new.items() if key not in old),
    ]


def _keyed(report: Report) -> Iterator[tuple[Key, ProbeResult]]:
    """By system prompt and question: ids may change between two versions of a probe file."""
    seen: dict[tuple[str, Probe], int] = {}
    for one in report.results:
        place = one.system, replace(one.probe, id="")
        seen[place] = seen.get(place, 0) + 1
        yield (*place, seen[place]), one


def _gap(one: Question) -> tuple[int, float, bool]:
    """How much two answers to one question differ: by outcome, then by drift, then by words."""
    assert one.left is not None
    assert one.right is not None
    drifts = [side.drift.kl_sum / side.drift.tokens if side.drift and side.drift.tokens else 0.0
              for side in (one.left, one.right)]  # fmt: skip
    return abs(_rank(one.left) - _rank(one.right)), abs(drifts[0] - drifts[1]), one.differs


def _rank(one: ProbeResult) -> int:
    word = outcome(one)
    return 0 if word in WRONG else 1 if word == "moved" else 2


def once_each(questions: Sequence[Question]) -> list[Question]:
    """Each question under the system prompt that comes first."""
    found: dict[str, Question] = {}
    for one in questions:
        found.setdefault(one.either.probe.id, one)
    return list(found.values())


def of_every_group(questions: Sequence[Question], count: int) -> list[Question]:
    """The first of each group, then the second, and so on, until there are `count`; in the order that they came in."""
    seen: Counter[str] = Counter()
    placed = []
    for at, one in enumerate(questions):
        group = one.either.probe.group
        placed.append((seen[group], FIRST_GROUPS.index(group), at))
        seen[group] += 1
    return [questions[at] for at in sorted(at for _, _, at in sorted(placed)[:count])]


def on_side(side: str, holds: Callable[[ProbeResult], bool]) -> Callable[[Question], bool]:
    """Whether it holds for that side's answer, if it was asked."""
    return lambda one: (answer := one.of(side)) is not None and holds(answer)
