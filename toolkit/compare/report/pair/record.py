"""pair.json as a type, and made from a pair. Its published form is docs/pair.schema.json."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field

from toolkit.compare.report.figures import outcome
from toolkit.compare.report.pair.abilities import abilities
from toolkit.compare.report.pair.difference import differences
from toolkit.compare.report.pair.explanation import explanation
from toolkit.compare.report.pair.named import named
from toolkit.compare.report.pair.pair import LEFT, RIGHT, SIDES, Pair, Question
from toolkit.compare.texts import Texts
from toolkit.data.probing.history import history_lists
from toolkit.runs.answer_record import Count
from toolkit.runs.comparison import METRICS, RecordedFigure, RecordedVerdict, Sha256, Share
from toolkit.runs.record import Part
from toolkit.runs.report_schema import schema_of

SCHEMA_VERSION = 1
OutcomeWord = Literal["passed", "failed", "leaked", "residue", "moved", "same"]
SideName = Literal["left", "right"]


class PairSide(Part, frozen=True):
    """one run, with what its own report says"""

    run: str
    name: str = Field(description="as the page shows it: the run's number and its recipe")
    recipe: str
    adapter_sha256: Sha256 | None
    probes_sha256: Sha256
    verdict: RecordedVerdict
    metrics: Mapping[str, RecordedFigure] = Field(
        description="each under the system prompt that it is worst under",
        json_schema_extra={"propertyNames": {"enum": list(METRICS)}},
    )


class PairDifference(Part, frozen=True):
    """one metric over the answers of both runs; value: right minus left, with its 95 % interval"""

    left: float
    right: float
    value: float
    low: float | None
    high: float | None
    questions: Count = Field(description="each counted once, over all system prompts")
    answers: Count
    left_better: Count = Field(description="questions; of length, those with the longer answers")
    right_better: Count
    p: Share = Field(description="exact sign test over the questions, two-sided")
    significant: bool = Field(description="among all metrics of this pair, by Holm's method")
    better: SideName | None = Field(description="the significantly better side; null if neither is, and for length")


class PairAbility(Part, frozen=True):
    """one group of items; points: right minus left, with its 95 % interval; p: McNemar's exact test"""

    name: str
    n: Count
    before: Count
    left: Count
    right: Count
    left_only: Count = Field(description="items that only the left run solves")
    right_only: Count
    points: float
    low: float
    high: float
    p: Share
    significant: bool = Field(description="among all groups, by Holm's method")


class PairAbilities(Part, frozen=True):
    """what both can do; apart: groups that are not the same items, or whose answers by the base model differ"""

    groups: Sequence[PairAbility]
    total: PairAbility | None
    apart: Sequence[str]


class PairAnswer(Part, frozen=True):
    before: str = Field(description="the base model's answer in this run's comparison")
    after: str
    outcome: OutcomeWord


class PairQuestion(Part, frozen=True):
    """a question under one system prompt; left or right is null if that run was not asked it"""

    group: str
    system: str
    prompt: str
    history: Sequence[Sequence[str]]
    own_system: str | None
    better: SideName | None = Field(description="whose answer has the better outcome; null if they are alike")
    left: PairAnswer | None
    right: PairAnswer | None


class PairCounts(Part, frozen=True):
    """answers: of both runs, and of one only"""

    both: Count
    left_better: Count
    right_better: Count
    only_left: Count
    only_right: Count


class PairRecord(Part, frozen=True):
    """Two finished comparisons of runs of one base model. A later toolkit may add keys."""

    schema_version: Literal[1]
    left: PairSide
    right: PairSide
    before: str = Field(description="the side that both were compared with")
    explanation: str = Field(description="what may have made the verdicts differ, in English")
    differs: Sequence[str] = Field(description="what else is not the same in the two comparisons, in English")
    counts: PairCounts
    differences: Mapping[str, PairDifference] = Field(
        description="of each metric that was measured in both",
        json_schema_extra={"propertyNames": {"enum": list(METRICS)}},
    )
    ability: PairAbilities | None = Field(description="null unless both measured them")
    questions: Sequence[PairQuestion] = Field(
        description="those that differ most first, then those that one run only was asked"
    )


def pair_record(pair: Pair) -> dict[str, Any]:
    """The content of pair.json."""
    english, found = Texts(), abilities(pair)
    return {
        "schema_version": SCHEMA_VERSION,
        **{side: _side(side, pair) for side in SIDES},
        "before": str(pair.left.report.before["name"]),
        "explanation": explanation(pair.left.run, pair.right.run),
        "differs": [text for text, _ in named(pair, english)],
        "counts": {
            "both": len(pair.both), "left_better": sum(one.better == LEFT for one in pair.both),
            "right_better": sum(one.better == RIGHT for one in pair.both),
            "only_left": len(pair.only(LEFT)), "only_right": len(pair.only(RIGHT)),
        },
        "differences": {
            name: asdict(one) | {"better": one.better(name) or None} for name, one in differences(pair).items()
        },
        "ability": None if found is None else {
            "groups": [asdict(one) for one in found.groups], "apart": list(found.apart),
            "total": None if found.total is None else asdict(found.total),
        },
        "questions": [_question(one) for one in pair.questions],
    }  # fmt: skip


def _side(side: str, pair: Pair) -> dict[str, Any]:
    one = pair.of(side)
    return {
        "run": one.run.run_id, "name": one.name, "recipe": one.run.record.recipe.name,
        "adapter_sha256": one.report.after.get("adapter_sha256"), "probes_sha256": one.report.probes["sha256"],
        "verdict": one.report.verdict.to_dict(),
        "metrics": {name: figure.to_dict() for name, figure in one.report.figures.items()},
    }  # fmt: skip


def _question(one: Question) -> dict[str, Any]:
    result = one.either
    answers = {
        side: None if (given := one.of(side)) is None
        else {"before": given.before, "after": given.after, "outcome": outcome(given)}
        for side in SIDES
    }  # fmt: skip
    return {
        "group": result.probe.group, "system": result.system, "prompt": result.probe.prompt,
        "history": history_lists(result.probe.history), "own_system": result.probe.system,
        "better": one.better or None, **answers,
    }  # fmt: skip


def pair_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of pair.json; docs/pair.schema.json is this."""
    return schema_of(PairRecord, f"pair.json of toolkit runs compare, schema_version {SCHEMA_VERSION}")
