"""Writes the JSON Schemas of what the toolkit prints and keeps: `make docs`. Unit tests check that they are current.

report.schema.json and pair.schema.json lie here, the other answers of --json in schemas/, named after their command.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from toolkit.compare.report.pair.record import pair_schema
from toolkit.runs.comparison import RecordedMetric, RecordedVerdict
from toolkit.runs.record import RunRecord
from toolkit.runs.report_schema import report_schema, schema_of
from toolkit.runs.runs import Difference, Summary
from toolkit.runs.scan_record import RecordedScan
from toolkit.sweep.frontier import Recommendation
from toolkit.sweep.record import Entry
from toolkit.train.cards.bench import Bench
from toolkit.train.check import Findings
from toolkit.train.questions.faults import QuestionFindings

HERE = Path(__file__).parent
DRAFT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


class TeachAnswer(TypedDict):
    """The last three are there unless --rows-only was given."""

    data: str
    probes: str
    kinds: list[str]
    rows: int
    written_by_model: int
    source: str
    run: NotRequired[str]
    report: NotRequired[str]
    verdict: NotRequired[RecordedVerdict]


class FinetuneAnswer(TypedDict):
    schema_version: int
    run: str
    steps: int
    loss: float
    seconds: float
    verdict: RecordedVerdict | None


class LabLine(TypedDict):
    run: str
    seconds: float
    verdict: RecordedVerdict


class RankedAnswer(TypedDict):
    name: str
    scale: float
    verdict: RecordedVerdict
    metrics: Mapping[str, float | None]
    shortfall: float


class RankingAnswer(TypedDict):
    schema_version: int
    ranking: list[RankedAnswer]


class ScalesAnswer(TypedDict):
    schema_version: int
    scales: list[RankedAnswer]


class SweepAnswer(TypedDict):
    schema_version: int
    status: str
    started_at: str
    asked: Mapping[str, Any]
    runs: list[Entry]
    frontier: list[str]
    recommendation: Recommendation
    plot: str | None


class VerifyAnswer(TypedDict):
    schema_version: int
    lock: str
    verified: bool
    files: int
    bytes: int
    mismatches: list[str]


class WarmJob(TypedDict):
    pid: int
    command: str
    age_s: float


class WarmAnswer(TypedDict, total=False):
    """Empty if nothing is warm; seconds are ages."""

    pid: int
    model: str
    age_s: float
    idle_s: float
    ends_after_s: float
    failed: str | None
    loaded_s: float | None
    workers: list[int]
    jobs: list[WarmJob]


class ReplayedAdapter(TypedDict):
    same: bool
    sha256: str | None
    recorded_sha256: str | None
    difference: Mapping[str, Any] | None


class ReplayAnswer(TypedDict):
    run: str
    replay: str
    outcome: str
    here: bool
    steps: int
    adapter: ReplayedAdapter
    loss: Mapping[str, Any] | None
    figures: Mapping[str, Any] | None
    unlike: list[str]
    notes: list[str]


class EvidenceCheck(TypedDict):
    subject: str
    holds: bool
    text: str


class EvidenceAnswer(TypedDict):
    folder: str
    verified: bool
    key: Mapping[str, str] | None
    policy_sha256: str
    checks: list[EvidenceCheck]
    statement: Mapping[str, Any] | None


def answer(kind: Any, title: str, **further: Mapping[str, Any]) -> dict[str, Any]:
    """Of a type whose every field is printed, and of further fields beside them."""
    schema = _closed(TypeAdapter(kind).json_schema(mode="serialization"))
    if further:
        schema["properties"] = {**further, **schema["properties"]}
        schema["required"] = [*further, *schema["required"]]
    return DRAFT | {"title": title} | schema


def questions_schema() -> dict[str, Any]:
    """Of `check`, where "in" is a field's name, which a field in Python cannot have."""
    schema = answer(QuestionFindings, "toolkit check --json of a file of questions", **VERSIONED)
    schema["properties"]["in"] = schema["properties"].pop("in_scope")
    schema["required"] = ["in" if name == "in_scope" else name for name in schema["required"]]
    return schema


def run_schema() -> dict[str, Any]:
    """Of `runs show`: run.json as it is now, what to do next, and of a compared run verdict and figures."""
    schema = schema_of(RunRecord, "toolkit runs show --json")
    kinds: dict[str, Any] = {"verdict": RecordedVerdict, "metrics": dict[str, RecordedMetric]}
    for name, kind in (kinds | {"own_limits": dict[str, float], "stale": bool, "next": str}).items():
        inner = TypeAdapter(kind).json_schema(mode="serialization")
        schema["$defs"] = schema.get("$defs", {}) | inner.pop("$defs", {})
        schema["properties"][name] = inner
    return schema


def _closed(schema: Any) -> Any:
    """Without pydantic's titles; an object has the fields of its type and no other, also those with a default."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: {name: _closed(one) for name, one in value.items()} if key in {"properties", "$defs"} else _closed(value)
        for key, value in schema.items()
        if key != "title"
    }
    if "properties" in found and "additionalProperties" not in found:
        known = found.get("required", [])
        found["additionalProperties"] = False
        found["required"] = [name for name, one in found["properties"].items() if name in known or "default" in one]
    return found


VERSIONED = {"schema_version": {"const": 1}, "sound": {"type": "boolean"}}
SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "report.schema.json": report_schema,
    "pair.schema.json": pair_schema,
    "schemas/check.schema.json": lambda: answer(Findings, "toolkit check --json", **VERSIONED),
    "schemas/check-questions.schema.json": questions_schema,
    "schemas/finetune.schema.json": lambda: answer(FinetuneAnswer, "toolkit finetune --json"),
    "schemas/teach.schema.json": lambda: answer(TeachAnswer, "toolkit teach --json"),
    "schemas/compare-ranking.schema.json": lambda: answer(RankingAnswer, "toolkit compare --json of several runs"),
    "schemas/compare-scales.schema.json": lambda: answer(ScalesAnswer, "toolkit compare --sweep-scale --json"),
    "schemas/scan.schema.json": lambda: schema_of(RecordedScan, "toolkit scan --json"),
    "schemas/sweep.schema.json": lambda: answer(SweepAnswer, "toolkit sweep --json, and sweep.json"),
    "schemas/lab.schema.json": lambda: answer(LabLine, "a line of toolkit lab --json"),
    "schemas/runs.schema.json": lambda: answer(list[Summary], "toolkit runs --json"),
    "schemas/runs-show.schema.json": run_schema,
    "schemas/runs-diff.schema.json": lambda: answer(list[Difference], "toolkit runs diff --json"),
    "schemas/replay.schema.json": lambda: answer(ReplayAnswer, "toolkit replay --json"),
    "schemas/up.schema.json": lambda: answer(WarmAnswer, "toolkit up --json"),
    "schemas/bench.schema.json": lambda: answer(Bench, "toolkit bench --json", what={"const": "toolkit bench"}),
    "schemas/verify.schema.json": lambda: answer(VerifyAnswer, "toolkit verify --json"),
    "schemas/verify-evidence.schema.json": lambda: answer(EvidenceAnswer, "toolkit verify-evidence --json"),
}

if __name__ == "__main__":
    for name, schema in SCHEMAS.items():
        text = json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"
        HERE.joinpath(name).parent.mkdir(exist_ok=True)
        HERE.joinpath(name).write_text(text, encoding="utf-8")
