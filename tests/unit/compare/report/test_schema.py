"""docs/report.schema.json: it is what the type says, every report.json holds to it, and it is strict enough."""

import json
from pathlib import Path

import jsonschema
import pytest

from tests.fakes.answered import answered, report_on
from toolkit.compare.sides import Side
from toolkit.compare.verdict import reach_verdict
from toolkit.data.probes import DEFAULT_THRESHOLDS, OUT_OF_SCOPE, TRAINED
from toolkit.model.divergence import Drift
from toolkit.runs.comparison import OPTIONAL, ComparisonRecord, with_digest
from toolkit.runs.report_schema import report_schema

DOCS = Path(__file__).parents[4] / "docs"
SCHEMA = json.loads((DOCS / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


class FakeBase:
    name, path = "micro", Path("/models/micro")

    def to_dict(self):
        return {"name": self.name, "path": str(self.path)}


@pytest.fixture(name="report")
def _report():
    report = report_on(
        answered(TRAINED, "Qwen", "Nova"),
        answered(TRAINED, "Qwen", "Hm", system=""),
        answered(OUT_OF_SCOPE, "4", "5", drift=Drift(kl_sum=0.1, agreeing=1, tokens=2), before_again="4"),
    ).to_dict()
    side = Side(kind="base", name="micro", model=FakeBase()).to_dict()
    return report | {"before": side, "after": side | {"kind": "run", "adapter": "/a", "adapter_sha256": "a" * 64}}


def test_the_file_is_what_the_type_says():
    assert report_schema() == SCHEMA, "write it with: python docs/schema.py"


def test_it_is_a_valid_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_report_holds_to_it(report):
    assert list(VALIDATOR.iter_errors(report)) == []


QUESTIONS = {
    "source": "file", "path": "/q.jsonl", "sha256": "0" * 64, "from_rows": 0, "in": 2, "near": 1, "kinds": {"own": 3},
    "file": "questions.jsonl", "rows": 16,
}  # fmt: skip


def test_a_report_of_a_run_that_learned_from_questions_holds_to_it(report):
    assert list(VALIDATOR.iter_errors(report | {"questions": QUESTIONS})) == []
    assert ComparisonRecord.from_dict(report | {"questions": QUESTIONS}).to_dict()["questions"] == QUESTIONS


def test_every_key_and_metric_is_described(report):
    definitions = SCHEMA["$defs"]
    assert set(with_digest(report)) == set(SCHEMA["properties"])
    assert set(report["metrics"]) - {*OPTIONAL} == set(SCHEMA["properties"]["metrics"]["required"])
    assert set(DEFAULT_THRESHOLDS) <= set(SCHEMA["properties"]["thresholds"]["propertyNames"]["enum"])
    assert set(report["probes"][0]) == set(definitions["RecordedProbe"]["properties"])
    assert set(report["verdict"]) == set(definitions["RecordedVerdict"]["properties"])
    assert reach_verdict({}, {}).to_dict().keys() == report["verdict"].keys()


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 4},
        {"verdict": {"passed": True}},
        {"metrics": {}},
        {"probes": [{"id": "a"}]},
        {"thresholds": {"beauty": 1}},
        {"probe_file": {"path": "a", "sha256": "b"}},
        {"questions": {"in": 1}},
        {"questions": QUESTIONS | {"near": "1"}},
    ],
)
def test_another_object_does_not(report, change):
    assert list(VALIDATOR.iter_errors(report | change))
