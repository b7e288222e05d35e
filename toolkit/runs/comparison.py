"""The report.json of a comparison as a value, and the one figure that every view shows of a metric: the worst one."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self, TypeVar

from pydantic import Field

from toolkit.core.documents import read_regular_json
from toolkit.core.errors import ConfigError
from toolkit.runs.ability_record import RecordedAbility, RecordedTest
from toolkit.runs.answer_record import Count, RecordedProbe, RecordedThinking
from toolkit.runs.layout import COMPARISON, REPORT
from toolkit.runs.record import Part, RecordedQuestions
from toolkit.runs.scan_record import RecordedScan

DEEP = ("indirect", "portability", "reversal", "other_language", "multi_turn")
TOOL_LOCALITY = "tool_locality"
OPTIONAL = (*DEEP, TOOL_LOCALITY)  # older reports lack them
HIGHER_IS_BETTER = frozenset({"reliability", "generality", *OPTIONAL, "locality", "agreement", "noise_floor"})
DIGEST = "content_sha256"
RATIO = "length"  # best at 1; of every other metric, less is better


class Measured(Protocol):
    """What `worst_system` reads of a metric."""

    @property
    def value(self) -> float | None: ...

    @property
    def n(self) -> int: ...


M = TypeVar("M", bound=Measured)


def worst_system(name: str, per_system: Mapping[str, Mapping[str, M]]) -> str | None:
    """The system prompt under which the metric is worst, the first of equal ones; None if nothing was measured.

    What a user's software sends as system prompt is not the trainer's choice, so a metric is as good as its worst case.
    """
    measured = {system: metrics[name].value for system, metrics in per_system.items() if _is_measured(metrics, name)}
    return max(measured, key=lambda system: _badness(name, measured[system] or 0.0), default=None)


def worst(per_system: Mapping[str, Mapping[str, M]]) -> dict[str, tuple[str, M]]:
    """Each metric's figure under the system prompt where it is worst, with that prompt; without unmeasured metrics."""
    names = dict.fromkeys(name for metrics in per_system.values() for name in metrics)
    found = {name: worst_system(name, per_system) for name in names}
    return {name: (system, per_system[system][name]) for name, system in found.items() if system is not None}


def _is_measured(metrics: Mapping[str, Measured], name: str) -> bool:
    return name in metrics and metrics[name].n > 0 and metrics[name].value is not None


def _badness(name: str, value: float) -> float:
    if name == RATIO:
        return abs(value - 1)
    return -value if name in HIGHER_IS_BETTER else value


MetricName = Literal[
    "reliability", "generality", "indirect", "portability", "reversal", "other_language", "multi_turn",
    "residue", "locality", "tool_locality", "leakage", "kl", "agreement", "length", "repetition", "noise_floor",
]  # fmt: skip
METRICS: tuple[str, ...] = MetricName.__args__  # type: ignore[attr-defined]  # a Literal's values
EVERY_METRIC = Field(json_schema_extra={"required": [name for name in METRICS if name not in OPTIONAL]})
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class RecordedModel(Part, frozen=True):
    name: str
    path: str


class RecordedSide(Part, frozen=True, json_schema_serialization_defaults_required=True):
    kind: Literal["base", "run", "adapter", "model", "system"]
    name: str
    model: RecordedModel
    adapter: str | None = None
    adapter_sha256: Sha256 | None = None
    scale: Share = Field(default=1, description="how strongly the adapter was applied")
    system: str | None = Field(default=None, description="the system prompt that this side is, if it is one")


class RecordedUndecided(Part, frozen=True):
    """under the system prompt that most probes are missing for; more_probes: about how many would tell, null if none"""

    metric: str
    system: str | None
    value: float
    low: float | None
    high: float | None
    limit: float
    more_probes: Count | None


class RecordedVerdict(Part, frozen=True):
    passed: bool = Field(
        description="took and kept, and neither is in not_judged: every figure meets its threshold; older reports have "
        "true also where a half was not judged"
    )
    took: bool = Field(description="by the figures the change is there, under every system prompt")
    kept: bool = Field(description="by the figures nothing else exceeds its threshold, under any system prompt")
    reasons: Sequence[str] = Field(description="every threshold that was missed or is undecided, in English")
    outcome: Literal["passed", "failed", "inconclusive"] | None = Field(
        default=None,
        description="by the 95 % intervals: failed if one is beyond its threshold, else inconclusive if one reaches "
        "across, else passed; older reports lack it",
    )
    not_judged: Sequence[Literal["took", "kept"]] = Field(
        default=(), description="of which no figure tells, so that the verdict is not passed; older reports lack it"
    )
    strict: bool = Field(default=False, description="an inconclusive verdict has exit code 23, else the figures'")
    exit_code: int | None = Field(default=None, description="of the command; older reports lack it")
    undecided: Sequence["RecordedUndecided"] = Field(
        default=(), description="each metric whose interval reaches across its threshold"
    )
    probes_left: Mapping[str, Count] = Field(
        default={},
        description="how many more compare could ask for a metric, where they come to an end; older reports lack it",
    )

    @property
    def by_figures(self) -> str:
        """`passed`, `failed`, or `not judged completely`: a half was not judged, and the rest meets its thresholds."""
        if self.not_judged and self.took and self.kept:
            return "not judged completely"
        return "passed" if self.passed else "failed"


class RecordedMetric(Part, frozen=True):
    """value: null if nothing was measured; low, high: the 95 % interval; n: answers, for kl and agreement tokens"""

    value: float | None
    n: Count
    low: float | None
    high: float | None
    probes: Count | None = Field(default=None, description="independent questions; older reports lack it")
    population: Count | None = Field(
        default=None, description="of how many they are a sample; null if that is not known, older reports lack it"
    )


class RecordedFigure(RecordedMetric, frozen=True, json_schema_serialization_defaults_required=True):
    """a metric under the system prompt that it is worst under"""

    system: str | None = Field(default=None, description="that system prompt; null if nothing was measured")


class RecordedFlips(Part, frozen=True):
    gained: Count
    lost: Count
    n: Count
    p: Share


class RecordedSystem(Part, frozen=True):
    system: str
    kind: Literal["training", "default", "none", "unrelated", "given"]


class RecordedProbeFile(Part, frozen=True):
    path: str
    sha256: Sha256


class LearnedQuestions(RecordedQuestions, frozen=True):
    """questions that the after side was trained on beside its rows: in, with answers; near, kept as they were"""

    file: str = Field(description="their file, in the run's folder")
    rows: int = Field(description="of the data set")


class FurtherQuestions(Part, frozen=True):
    """how many came from the shipped bank (out of scope), the rows and the base model (in scope), and at depth"""

    bank: Count
    written: Count
    rows: Count
    depth: Count = Field(default=0, description="made from the probe file's questions; older reports lack it")
    tools: Count = Field(default=0, description="out of scope, shipped, with tools; older reports lack it")
    path: str = Field(description="of the bank")
    sha256: Sha256 = Field(description="of the bank")


class RecordedOptions(Part, frozen=True):
    """how the command was called, beside its sides and probes"""

    systems: Sequence[str] = Field(description="of --system; empty for the probe file's, or the usual four")
    max_new_tokens: Annotated[int, Field(ge=1)]
    outside: Count | None = Field(description="of --outside; null for the default")
    probes_more: Count | None = Field(description="of --probes-more; null for the default")
    depth: bool
    thinking: Literal["keep", "off"] | None = Field(default=None, description="of --thinking; null for the run's own")
    thought_tokens: Count | None = Field(default=None, description="older reports lack it")
    thresholds: Mapping[str, float] = Field(
        default={}, description="of --threshold, where they are not the probe file's anyway; older reports lack it"
    )
    ability_limit: float | None = Field(default=None, description="of --ability-limit; null for the default")

    @property
    def own_limits(self) -> dict[str, float]:
        """The user's own limits, by what they limit; empty for a verdict by those of product and probe file."""
        return {**self.thresholds, **({} if self.ability_limit is None else {"ability": self.ability_limit})}


class RecordedFlipPairs(Part, frozen=True):
    expected: RecordedFlips = Field(description="in scope: answers that became what is expected, or ceased to be")
    unmoved: RecordedFlips = Field(
        description="out of scope: lost moved with the change only, gained with another batch only"
    )


class ComparisonRecord(Part, frozen=True):
    """One comparison of two sides: the verdict, the metrics, and every answer.

    A later toolkit may add keys; it raises schema_version if it removes one or changes its meaning.
    """

    schema_version: Literal[1, 2, 3] = Field(
        description="in version 1, metrics were taken over the answers under all system prompts together"
    )
    before: RecordedSide
    after: RecordedSide
    verdict: RecordedVerdict
    thresholds: Mapping[str, float] = Field(
        description="what each metric had to reach, or not to exceed",
        json_schema_extra={"propertyNames": {"enum": list(METRICS)}},
    )
    metrics: Annotated[Mapping[str, RecordedFigure], EVERY_METRIC] = Field(
        description="each under the system prompt that it is worst under"
    )
    per_system: Mapping[str, Annotated[Mapping[str, RecordedMetric], EVERY_METRIC]] = Field(
        min_length=1, description='for each system prompt; "" sends no system message, "(none)" an empty one'
    )
    flips: RecordedFlipPairs = Field(
        description="exact sign test over questions, each counted once over all system prompts; before schema_version "
        "3 McNemar's under the first"
    )
    systems: Sequence[RecordedSystem] = Field(min_length=1)
    probe_file: RecordedProbeFile
    probes: Sequence[RecordedProbe]
    timings_s: Mapping[str, Annotated[float, Field(ge=0)]] = Field(json_schema_extra={"required": ["total"]})
    further: FurtherQuestions | None = Field(
        default=None, description="asked beside the probe file's; null if none were, older reports lack it"
    )
    questions: LearnedQuestions | None = Field(
        default=None, description="null if it was trained on its rows only, or is not a run; older reports lack it"
    )
    thinking: RecordedThinking | None = Field(
        default=None, description="null for base models that do not think, and in older reports"
    )
    ability: RecordedAbility | None = Field(default=None, description="null in older reports, which lack it")
    scan: RecordedScan | None = Field(default=None, description="null if it was not asked for; older reports lack it")
    test: RecordedTest | None = Field(
        default=None, description="null if no rows were held out for it; older reports lack it"
    )
    options: RecordedOptions | None = Field(default=None, description="older reports lack it")
    content_sha256: Sha256 | None = Field(
        default=None,
        description="of all other keys as JSON: keys sorted, no spaces, no ASCII escapes; older reports lack it",
    )

    @classmethod
    def from_dict(cls, value: object) -> Self:
        """Raises ValueError, also for a content that is not the one whose digest it has."""
        if isinstance(value, Mapping) and DIGEST in value and value[DIGEST] != content_sha256(value):
            raise ValueError("it has changed since it was written")
        return super().from_dict(value)

    @property
    def figures(self) -> dict[str, RecordedMetric]:
        """Each metric that was measured, as every view shows it; of a report of any version."""
        return {name: metric for name, (_, metric) in worst(self.per_system).items()}


def read_comparison(run_folder: Path, name: str = COMPARISON) -> ComparisonRecord | None:
    """The comparison in that folder of the run's, on whatever sides; None if there is none that can be read."""
    try:
        return ComparisonRecord.from_dict(read_regular_json(run_folder / name / REPORT))
    except (OSError, ValueError, ConfigError):
        return None


def with_digest(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a report.json with its own digest, in place of an earlier one."""
    return {**content, DIGEST: content_sha256(content)}


def content_sha256(content: Mapping[str, Any]) -> str:
    """The digest of a report's content, without the digest in it. Raises ValueError for half a surrogate pair."""
    rest = {key: value for key, value in content.items() if key != DIGEST}
    text = json.dumps(rest, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
