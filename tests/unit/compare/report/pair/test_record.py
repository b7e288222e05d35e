"""pair.json: it holds to docs/pair.schema.json, which is what the type says, and has what the page has."""

import json
from pathlib import Path

import jsonschema
import pytest

from tests.fakes.ledgers import ledger
from tests.fakes.paired import compared_run, learned, two_runs
from toolkit.compare.report.pair.pair import read_pair
from toolkit.compare.report.pair.record import pair_record, pair_schema

SCHEMA = json.loads((Path(__file__).parents[5] / "docs" / "pair.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_file_is_what_the_type_says():
    assert pair_schema() == SCHEMA, "write it with: python docs/schema.py"


def test_it_is_a_valid_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_pair_holds_to_it_with_abilities_and_without(tmp_path: Path):
    compared_run(tmp_path, 0, learned(forgets=True), ability=ledger("--xx", "---x"))
    compared_run(tmp_path, 1, learned(forgets=False), ability=ledger("--xx", "x-xx"))
    compared_run(tmp_path, 2, learned(forgets=False)[:3])

    for left, right in (("v0", "v1"), ("v0", "v2")):
        record = json.loads(json.dumps(pair_record(read_pair(left, right, tmp_path)), allow_nan=False))
        assert list(VALIDATOR.iter_errors(record)) == []
    assert record["ability"] is None
    assert record["counts"]["only_left"] == 7


def test_it_says_what_the_page_says(tmp_path: Path):
    record = pair_record(read_pair("v0", "v1", two_runs(tmp_path)))

    assert record["counts"] == {"both": 10, "left_better": 0, "right_better": 6, "only_left": 0, "only_right": 0}
    assert record["differences"]["leakage"]["value"] == -0.5
    assert record["differences"]["leakage"]["right_better"] == 1
    assert (record["left"]["name"], record["right"]["name"]) == ("v0 (article)", "v1 (keep)")
    assert (
        record["explanation"]
        == "From not learned and others moved (v0) to inconclusive (v1), with these changes: epochs 10 → 11."
    )
    assert record["questions"][0]["left"] == {"before": "Paris.", "after": "Nova!", "outcome": "leaked"}
    assert record["questions"][0]["better"] == "right"


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2}, {"counts": {"both": 1}}, {"differences": {"beauty": {}}}, {"left": {"run": "v0"}},
        {"questions": [{"prompt": "?"}]}, {"ability": {}},
    ],
)  # fmt: skip
def test_another_object_does_not(tmp_path: Path, change: dict):
    assert list(VALIDATOR.iter_errors(pair_record(read_pair("v0", "v1", two_runs(tmp_path))) | change))
