"""docs/report.schema.json: every report.json holds to it, and it is strict enough to tell."""

import json
from pathlib import Path

import jsonschema
import pytest

from tests.fakes.answered import answered, report_on
from toolkit.compare.sides import Side
from toolkit.compare.verdict import reach_verdict
from toolkit.data.probes import DEFAULT_THRESHOLDS, OUT_OF_SCOPE, TRAINED
from toolkit.model.divergence import Drift

SCHEMA = json.loads((Path(__file__).parents[4] / "docs" / "report.schema.json").read_text(encoding="utf-8"))
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
        answered(OUT_OF_SCOPE, "4", "5", drift=Drift(kl_sum=0.1, agreeing=1, tokens=2), again="4"),
    ).to_dict()
    side = Side(kind="base", name="micro", model=FakeBase()).to_dict()
    return report | {"before": side, "after": side | {"kind": "run", "adapter": "/a", "adapter_sha256": "a" * 64}}


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_report_holds_to_it(report):
    assert list(VALIDATOR.iter_errors(report)) == []


def test_every_metric_and_threshold_is_named_in_it(report):
    assert set(SCHEMA["$defs"]["metrics"]["required"]) == set(report["metrics"])
    assert set(DEFAULT_THRESHOLDS) <= set(SCHEMA["properties"]["thresholds"]["propertyNames"]["enum"])


def test_every_key_is_told_of_in_it(report):
    assert set(report) == set(SCHEMA["properties"])
    assert set(report["probes"][0]) == set(SCHEMA["$defs"]["probe"]["properties"])
    assert set(report["verdict"]) == set(SCHEMA["properties"]["verdict"]["properties"])
    assert reach_verdict({}, {}).to_dict().keys() == report["verdict"].keys()


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"verdict": {"passed": True}},
        {"metrics": {}},
        {"probes": [{"id": "a"}]},
        {"thresholds": {"beauty": 1}},
        {"probe_file": {"path": "a", "sha256": "b"}},
    ],
)
def test_what_is_no_report_does_not(report, change):
    assert list(VALIDATOR.iter_errors(report | change))
