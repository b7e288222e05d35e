"""What a report proves about an adapter, and what it does not."""

import dataclasses
import json
from pathlib import Path

import pytest

from tests.fakes.answered import answered, report_on
from toolkit.compare.report.figures import LEDGERS, ledger_lines
from toolkit.compare.report.report import Report
from toolkit.core.errors import ConfigError
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED
from toolkit.export.evidence import FAILED, NOT_COMPARED, PASSED, read_evidence, require_passed
from toolkit.model.divergence import Drift

DIGEST = "a" * 64


def report(*, passed: bool = True) -> Report:
    return report_on(
        answered(TRAINED, "Qwen", "Nova" if passed else "Qwen"),
        answered(PARAPHRASE, "Qwen", "Nova"),
        answered(OUT_OF_SCOPE, "Paris", "Paris", drift=Drift(kl_sum=0.0, agreeing=2, tokens=2)),
    )


def written(folder: Path, content: object) -> Path:
    (folder / "report.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.mark.parametrize(("passed", "verdict"), [(True, PASSED), (False, FAILED)])
def test_a_report_of_the_adapter_is_read_back_whole(tmp_path: Path, passed: bool, verdict: str) -> None:
    made = report(passed=passed)
    found = read_evidence(written(tmp_path, made.to_dict()), DIGEST)

    assert found.verdict == verdict
    assert found.report is not None
    for ledger in LEDGERS:
        assert ledger_lines(found.report, ledger) == ledger_lines(made, ledger)
    assert found.report.verdict.reasons == made.verdict.reasons
    assert found.report.flips == made.flips


@pytest.mark.parametrize(
    ("side", "changes", "reason"),
    [
        ("after", {"adapter_sha256": "b" * 64}, "another adapter"),
        ("after", {"scale": 0.5}, "another adapter"),
        ("before", {"kind": "run", "name": "v0"}, "compares it with v0"),
        ("before", {"adapter_sha256": "c" * 64}, "not with its base"),
    ],
)
def test_a_report_of_something_else_proves_nothing(tmp_path: Path, side: str, changes: dict, reason: str) -> None:
    made = report()
    made = dataclasses.replace(made, **{side: {**getattr(made, side), **changes}})
    found = read_evidence(written(tmp_path, made.to_dict()), DIGEST)

    assert found.verdict == NOT_COMPARED
    assert reason in found.reason
    assert found.report is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema_version": 3}', '{"schema_version": 1, "per_system": 3}'])
def test_a_file_that_is_not_a_report_proves_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "report.json").write_text(content)

    assert read_evidence(tmp_path, DIGEST).verdict == NOT_COMPARED


def test_without_a_report_there_is_no_evidence(tmp_path: Path) -> None:
    assert read_evidence(tmp_path, DIGEST).reason == "it has no report"


def test_an_adapter_that_passed_is_accepted(tmp_path: Path) -> None:
    require_passed(
        read_evidence(written(tmp_path, report().to_dict()), DIGEST), Path("output/v0"), even_if_failed=False
    )


def test_an_adapter_that_failed_is_refused_with_the_reasons(tmp_path: Path) -> None:
    evidence = read_evidence(written(tmp_path, report(passed=False).to_dict()), DIGEST)

    with pytest.raises(ConfigError, match=r"v0 did not pass its comparison \(reliability .*--even-if-failed"):
        require_passed(evidence, Path("output/v0"), even_if_failed=False)
    require_passed(evidence, Path("output/v0"), even_if_failed=True)


def test_an_adapter_of_which_a_half_was_not_judged_is_refused_and_needs_no_training(tmp_path: Path) -> None:
    half = report_on(answered(TRAINED, "Qwen", "Nova"), answered(PARAPHRASE, "Qwen", "Nova"))
    evidence = read_evidence(written(tmp_path, half.to_dict()), DIGEST)

    assert evidence.verdict == FAILED
    with pytest.raises(ConfigError, match=r"Ask such probes and compare again, or give --even-if-failed"):
        require_passed(evidence, Path("output/v0"), even_if_failed=False)


def test_an_adapter_that_was_not_compared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"it has no report.*toolkit compare v0"):
        require_passed(read_evidence(tmp_path, DIGEST), Path("output/v0"), even_if_failed=False)
