"""The evidence for an adapter: the report of the run's last comparison, if it is about this very adapter."""

from dataclasses import dataclass
from pathlib import Path

from toolkit.compare.report.report import Report
from toolkit.compare.sides import BASE
from toolkit.core.documents import read_regular_json
from toolkit.core.errors import ConfigError
from toolkit.core.links import require_no_link
from toolkit.core.suggestion import suggestion
from toolkit.runs.comparison import RecordedSide
from toolkit.runs.layout import REPORT, output_option
from toolkit.runs.own_comparison import are_own_sides
from toolkit.runs.record import RecordedBase

PASSED, FAILED, NOT_COMPARED = "passed", "failed", "not compared"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """`verdict`: PASSED, FAILED or NOT_COMPARED; `reason`: why there is no usable report."""

    verdict: str
    reason: str = ""
    report: Report | None = None


def read_evidence(folder: Path, adapter_sha256: str | None, base: RecordedBase | None = None) -> Evidence:
    """From report.json in `folder`. A report on another adapter, or against anything but the base, does not count.

    `base`: what the adapter was trained on, where that is known: a report on another base model does not count either.
    Raises ConfigError where the folder or the report is a symbolic link.
    """
    path = folder / REPORT
    require_no_link(folder, path)
    try:
        report = Report.from_dict(read_regular_json(path))
    except FileNotFoundError:
        return Evidence(verdict=NOT_COMPARED, reason="it has no report")
    except (OSError, ValueError):
        return Evidence(verdict=NOT_COMPARED, reason="its report cannot be read, or has changed since it was written")
    if report.after.get("adapter_sha256") != adapter_sha256 or report.after.get("scale", 1) != 1:
        return Evidence(verdict=NOT_COMPARED, reason="its report is about another adapter")
    if report.before["kind"] != BASE or report.before.get("adapter_sha256") is not None:
        name = report.before["name"]
        return Evidence(verdict=NOT_COMPARED, reason=f"its report compares it with {name}, not with its base")
    if base is not None and not are_own_sides(base, *map(RecordedSide.from_dict, (report.before, report.after))):
        return Evidence(verdict=NOT_COMPARED, reason="its report is about another base model")
    return Evidence(verdict=PASSED if report.verdict.passed else FAILED, report=report)


def require_passed(evidence: Evidence, run: Path, *, even_if_failed: bool) -> None:
    """Raises ConfigError if the adapter in the folder `run` did not pass its comparison, unless `even_if_failed`."""
    name = run.name
    if evidence.verdict == PASSED or even_if_failed:
        return
    if evidence.report is not None:
        verdict = evidence.report.verdict
        reasons = "; ".join(verdict.reasons[:2])
        if verdict.met:
            raise ConfigError(
                f"{name} did not pass its comparison ({reasons}).",
                next="Ask such probes and compare again, or give --even-if-failed: the model card then says so.",
            )
        raise ConfigError(
            f"{name} did not pass its comparison ({reasons}).",
            next="Train again, or give --even-if-failed: the model card then says so.",
        )
    raise _not_compared(evidence, run, ", or give --even-if-failed: the model card then says so")


def require_compared(evidence: Evidence, run: Path) -> Report:
    """The report. Raises ConfigError if the adapter in the folder `run` was not compared with its base."""
    if evidence.report is None:
        raise _not_compared(evidence, run, "")
    return evidence.report


def _not_compared(evidence: Evidence, run: Path, otherwise: str) -> ConfigError:
    compare = suggestion("compare", run.name, *output_option(run.parent))
    return ConfigError(f"{run.name} was not compared: {evidence.reason}.", next=f'Run "{compare}" first{otherwise}.')
