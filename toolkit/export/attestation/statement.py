"""What is signed: an in-toto statement about the files of a portable adapter, with the run's verdict as its predicate.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.compare.report.report import Report
from toolkit.core.documents import read_regular_json
from toolkit.core.errors import ConfigError
from toolkit.core.files import file_sha256
from toolkit.export.companions import LICENCE_FILES
from toolkit.runs.comparison import ComparisonRecord, RecordedFigure, RecordedVerdict
from toolkit.runs.layout import (
    ADAPTER_CONFIG,
    ADAPTER_FILE,
    MODEL_CARD,
    RECORD,
    REPORT,
    REPORT_TEXT,
)
from toolkit.runs.record import Part, RunRecord

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://finetune-and-prove/verdict/v1"
OUTSIDE = "not in an image"
PUBLISHED = (ADAPTER_FILE, ADAPTER_CONFIG, MODEL_CARD, REPORT, REPORT_TEXT, RECORD, *LICENCE_FILES)


class SignedBase(Part, frozen=True):
    """`lock_sha256`: of the lock with which every byte was compared; None for a base model without one."""

    name: str
    repository: str | None = None
    revision: str | None = None
    lock_sha256: str | None = None


class SignedData(Part, frozen=True):
    """`sha256`: of the data set; `files`: of the files with rows in the run's folder, by their names."""

    sha256: str
    rows: int
    files: Mapping[str, str]


class SignedProbes(Part, frozen=True):
    """`bank`: the sha256 of the shipped bank, if further questions came from it."""

    sha256: str
    bank: str | None = None


class SignedToolkit(Part, frozen=True):
    """`image`: its digest, or OUTSIDE; None for a run of an older version, which does not record it."""

    versions: Mapping[str, str | None]
    image: str | None


class Predicate(Part, frozen=True):
    """The verdict of one run, and what it is about. `report_sha256`: the `content_sha256` of the published report."""

    run_id: str
    finished_at: str | None
    adapter_sha256: str
    base_model: SignedBase
    data: SignedData
    probes: SignedProbes
    report_sha256: str
    thresholds: Mapping[str, float]
    metrics: Mapping[str, RecordedFigure]
    verdict: RecordedVerdict
    toolkit: SignedToolkit


@dataclass(frozen=True, kw_only=True)
class Statement:
    """`files`: the sha256 of each file of the portable adapter, by its name; `others`: of further subjects."""

    files: Mapping[str, str]
    others: Mapping[str, str]
    predicate: Predicate

    @classmethod
    def from_dict(cls, value: Any) -> "Statement":
        """Raises ValueError for any other JSON value."""
        try:
            kinds = (value["_type"], value["predicateType"])
            subjects = {str(one["name"]): str(one["digest"]["sha256"]) for one in value["subject"]}
            predicate = value["predicate"]
        except (KeyError, TypeError):
            raise ValueError("it is not an in-toto statement") from None
        if kinds != (STATEMENT_TYPE, PREDICATE_TYPE):
            raise ValueError(f"it states something else ({kinds[1]})")
        files = {name: sha256 for name, sha256 in subjects.items() if _is_file_name(name)}
        others = {name: sha256 for name, sha256 in subjects.items() if name not in files}
        return cls(files=files, others=others, predicate=Predicate.from_dict(predicate))

    @property
    def subjects(self) -> Mapping[str, str]:
        return {**self.files, **self.others}

    def to_dict(self) -> dict[str, Any]:
        return {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in self.subjects.items()],
            "predicateType": PREDICATE_TYPE,
            "predicate": self.predicate.to_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class OtherStatement:
    """Of any predicate, such as one about an image. `subjects`: their sha256, by their names."""

    subjects: Mapping[str, str]
    kind: str
    value: Mapping[str, Any]

    @classmethod
    def from_dict(cls, value: Any) -> "OtherStatement":
        """Raises ValueError for any other JSON value."""
        try:
            subjects = {str(one["name"]): str(one["digest"]["sha256"]) for one in value["subject"]}
            found = cls(subjects=subjects, kind=str(value["predicateType"]), value=value)
        except (KeyError, TypeError):
            raise ValueError("it is not an in-toto statement") from None
        if value.get("_type") != STATEMENT_TYPE or not subjects:
            raise ValueError("it is not an in-toto statement about something")
        return found

    def to_dict(self) -> dict[str, Any]:
        return dict(self.value)


def state(record: RunRecord, folder: Path, others: Mapping[str, str]) -> Statement:
    """About the portable adapter in `folder`. Raises ConfigError where its report cannot be read."""
    path = folder / REPORT
    try:
        content = read_regular_json(path)
        report = ComparisonRecord.from_dict(content)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be used: {error}.", next="Export it again.") from None
    assert record.adapter is not None  # of a finished run
    judged = Report.from_dict(content).verdict.to_dict()  # older reports say passed where a half was not judged
    base, further = record.base_model, report.further
    image = (record.image or OUTSIDE) if "image" in record.model_fields_set else None
    predicate = {
        "run_id": record.run_id,
        "finished_at": record.finished_at,
        "adapter_sha256": record.adapter.sha256,
        "base_model": {
            "name": Path(base.name).name, "repository": base.repository, "revision": base.revision,
            "lock_sha256": base.lock_sha256,
        },
        "data": {"sha256": record.data.sha256, "rows": record.data.rows, "files": dict(record.data.files)},
        "probes": {"sha256": report.probe_file.sha256, "bank": further.sha256 if further and further.bank else None},
        "report_sha256": report.content_sha256,
        "thresholds": dict(report.thresholds),
        "metrics": {name: figure.to_dict() for name, figure in report.metrics.items()},
        "verdict": report.verdict.to_dict() | {name: judged[name] for name in ("passed", "not_judged")},
        "toolkit": {"versions": dict(record.versions), "image": image},
    }  # fmt: skip
    return Statement(files=published_files(folder), others=others, predicate=Predicate.from_dict(predicate))


def published_files(folder: Path) -> dict[str, str]:
    """The sha256 of each file of a portable adapter that is published, by its name."""
    return {name: file_sha256(folder / name) for name in PUBLISHED if (folder / name).is_file()}


def _is_file_name(name: str) -> bool:
    return name in PUBLISHED
