"""What a run can prove of its adapter: the report of its last comparison, where that speaks of this adapter."""

import json
from dataclasses import dataclass
from pathlib import Path

from toolkit.compare.report.report import Report, _report
from toolkit.compare.sides import BASE
from toolkit.core.errors import ConfigError
from toolkit.runs.layout import REPORT, REPORT_SCHEMA_VERSION

PASSED, FAILED, NOT_COMPARED = "passed", "failed", "not compared"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """`verdict`: passed, failed or not compared; `why` says what is wrong where there is no report to speak of."""

    verdict: str
    why: str = ""
    report: Report | None = None  # without its probes


def read_evidence(folder: Path, adapter_sha256: str | None) -> Evidence:
    """From report.json in `folder`. A report of another adapter, or against another base, proves nothing here."""
    path = folder / REPORT
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema_version"] != REPORT_SCHEMA_VERSION:
            return Evidence(verdict=NOT_COMPARED, why=f"its report is not of schema_version {REPORT_SCHEMA_VERSION}")
        report, passed = _report(content), bool(content["verdict"]["passed"])
        before, after = content["before"], content["after"]
        if after["adapter_sha256"] != adapter_sha256 or float(after.get("scale", 1)) != 1:
            return Evidence(verdict=NOT_COMPARED, why="its report speaks of another adapter")
        if before["kind"] != BASE or before["adapter_sha256"] is not None:
            return Evidence(
                verdict=NOT_COMPARED, why=f"its report compares it with {before['name']}, not with its base"
            )
    except FileNotFoundError:
        return Evidence(verdict=NOT_COMPARED, why="it has no report")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Evidence(verdict=NOT_COMPARED, why="its report cannot be read")
    return Evidence(verdict=PASSED if passed else FAILED, report=report)


def require_passed(evidence: Evidence, name: str, *, even_if_failed: bool) -> None:
    """Refuses to hand on what was not proven. Raises ConfigError."""
    if evidence.verdict == PASSED or even_if_failed:
        return
    if evidence.verdict == FAILED:
        reasons = evidence.report.verdict.reasons if evidence.report is not None else ()
        told = f" ({'; '.join(reasons[:2])})" if reasons else ""
        raise ConfigError(
            f"{name} did not pass its comparison{told}.",
            next="Train it anew, or give --even-if-failed: the card then says so.",
        )
    raise ConfigError(
        f"{name} was not compared: {evidence.why}.",
        next=f'Run "toolkit compare {name}" first, or give --even-if-failed: the card then says so.',
    )
