"""A report.json has its own digest, and nothing that reads it believes one that has changed."""

import contextlib
import json
import random
from pathlib import Path

import pytest

from image.core.errors import ConfigError
from image.share.run_layer import read_report as read_on_the_host
from tests.fakes.answered import answered, report_on
from toolkit.compare.report import write_report
from toolkit.compare.report.markdown import render_markdown
from toolkit.compare.report.pair.explanation import explanation
from toolkit.compare.report.report import Report
from toolkit.compare.sides import Side
from toolkit.compare.texts import Texts
from toolkit.core.documents import read_regular_json
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED
from toolkit.export.evidence import NOT_COMPARED, PASSED, read_evidence
from toolkit.model.divergence import Drift
from toolkit.runs.comparison import ComparisonRecord, read_comparison, with_digest
from toolkit.runs.layout import REPORT_SCHEMA_VERSION, RUN_SCHEMA_VERSION
from toolkit.runs.run import read_run
from toolkit.runs.runs import details, summary

DIGEST = "a" * 64
FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Path:
    """A folder whose `compare` has a report of a comparison that passed."""
    report = report_on(
        answered(TRAINED, "Qwen", "Nova"), answered(PARAPHRASE, "Qwen", "Nova 🎉"),
        answered(OUT_OF_SCOPE, "4", "4", drift=Drift(kl_sum=0.0, agreeing=2, tokens=2)),
    )  # fmt: skip
    write_report(report, Side(kind="adapter", name="a", model=None), tmp_path / "compare")  # type: ignore[arg-type]
    return tmp_path


def test_a_report_as_it_was_written_is_believed_by_all(run: Path) -> None:
    record = read_comparison(run)

    assert record is not None
    assert record.verdict.passed
    assert read_evidence(run / "compare", DIGEST).verdict == PASSED
    assert read_on_the_host(run / "compare" / "report.json")["content_sha256"] == record.content_sha256


def test_a_report_of_an_older_version_has_no_digest_and_is_believed(run: Path) -> None:
    path = run / "compare" / "report.json"
    content = json.loads(path.read_text())
    del content["content_sha256"]
    path.write_text(json.dumps(content))

    assert read_comparison(run) is not None
    assert read_evidence(run / "compare", DIGEST).verdict == PASSED
    assert read_on_the_host(path) == content


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": {"passed": False, "took": True, "kept": True, "reasons": []}}, {"timings_s": {"total": 1.5}},
        {"more": 1}, {"content_sha256": "b" * 64}, {"content_sha256": None}, {"content_sha256": [3]},
    ],
)  # fmt: skip
def test_a_report_that_has_changed_is_believed_by_nobody(run: Path, change: dict) -> None:
    path = run / "compare" / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    assert read_comparison(run) is None
    evidence = read_evidence(run / "compare", DIGEST)
    assert (evidence.verdict, evidence.report) == (NOT_COMPARED, None)
    assert "has changed since it was written" in evidence.reason
    with pytest.raises(ConfigError, match="has changed since it was written"):
        read_on_the_host(path)


def test_of_500_flipped_bits_none_changes_what_is_believed(run: Path) -> None:
    path, random_ = run / "compare" / "report.json", random.Random(7)
    original = path.read_bytes()
    believed = Report.from_dict(json.loads(original))
    noticed = 0
    for _ in range(500):
        content = bytearray(original)
        content[random_.randrange(len(content))] ^= 1 << random_.randrange(8)
        path.write_bytes(content)
        found = read_evidence(run / "compare", DIGEST)
        noticed += found.report is None
        assert found.report is None or found.report == believed
        with contextlib.suppress(ConfigError):
            assert read_on_the_host(path).get("verdict") in (None, json.loads(original)["verdict"])

    assert noticed > 450  # the others changed a space, or a name that nothing reads


def test_the_digest_is_of_the_content_and_not_of_its_form() -> None:
    one = with_digest({"b": "小明", "a": [1.0, None]})

    assert one == with_digest({"a": [1.0, None], "b": "小明", "content_sha256": ""})
    with pytest.raises(ValueError, match="has changed since it was written"):
        ComparisonRecord.from_dict(one | {"a": []})


SCHEMAS = {
    1: FIXTURES / "runs" / "v0-20261128-173936",
    **{version: FIXTURES / "schemas" / f"report-{version}" / "v0-20261128-173936" for version in (2, 3)},
}


VERDICTS = {1: "not taken", 2: "passed", 3: "inconclusive"}


def test_there_is_a_run_folder_of_every_schema() -> None:
    reports = [read_comparison(folder) for folder in SCHEMAS.values()]

    assert [report and report.schema_version for report in reports] == list(range(1, REPORT_SCHEMA_VERSION + 1))
    assert {read_run(folder).record.schema_version for folder in SCHEMAS.values()} == {RUN_SCHEMA_VERSION}


@pytest.mark.parametrize("version", SCHEMAS)
def test_a_run_of_every_schema_is_read_and_shown(version: int) -> None:
    run = read_run(SCHEMAS[version])
    report = read_regular_json(run.folder / "compare" / "report.json")
    metrics = details(run)["metrics"]

    assert summary(run).verdict == VERDICTS[version]
    assert metrics["generality"]["value"] == min(one["generality"]["value"] for one in report["per_system"].values())
    assert "learned" in render_markdown(Report.from_dict(report), Texts(), []).partition("\n")[0]


def test_verdicts_of_reports_of_two_schemas_differ_by_that() -> None:
    passed, inconclusive = (read_run(SCHEMAS[version]) for version in (2, 3))

    assert explanation(passed, inconclusive) == (
        "From passed (v0) to inconclusive (v0), with these changes: the report's schema 2 → 3."
    )
