"""Checks an adapter's signed evidence: who signed it, that nothing has changed since, and what a policy demands."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core.documents import read_regular_json
from toolkit.core.errors import ConfigError
from toolkit.core.files import file_sha256
from toolkit.core.links import require_no_links_in
from toolkit.core.text import one_line
from toolkit.export.attestation.keyless import Identity
from toolkit.export.attestation.model_signature import signed_files
from toolkit.export.attestation.policy import Check, Policy, read_policy
from toolkit.export.attestation.signatures import CHANGED, Opened, evidence_files, first_opened, model_signatures
from toolkit.export.attestation.signing import PublicKey
from toolkit.export.attestation.statement import PREDICATE_TYPE, OtherStatement, Statement
from toolkit.export.formats.adapter import PortableAdapter
from toolkit.export.portable import redacted
from toolkit.runs.comparison import content_sha256
from toolkit.runs.layout import (
    ADAPTER_FILE,
    COMPARISON,
    EVIDENCE,
    EVIDENCE_FILES,
    EXPORT_MANIFEST,
    MODEL_SIGNATURES,
    RECORD,
    REPORT,
)
from toolkit.runs.run import Run, find_run, read_run

NOT_VERIFIED = 25  # the exit code
KINDS = {ADAPTER_FILE: "adapter", REPORT: "report", RECORD: "record"}


@dataclass(frozen=True, kw_only=True)
class VerifyEvidenceConfig:
    """`evidence`: the folder of a portable adapter, or a run's, or its name in `output`; or a file with one statement.

    `subject`: the sha256 of what it must be about too, such as an image. `policy_sha256`: that the policy must have.
    """

    evidence: str
    policy: Path
    subject: str | None = None
    policy_sha256: str | None = None
    output: Path = Path("output")


@dataclass(frozen=True, kw_only=True)
class Verified:
    """`statement`, `key`: None where the signature is not valid, after which nothing that was signed counts."""

    folder: Path
    policy: Policy
    checks: Sequence[Check]
    statement: Statement | OtherStatement | None
    key: PublicKey | Identity | None

    @property
    def holds(self) -> bool:
        return self.statement is not None and all(check.holds for check in self.checks)

    @property
    def exit_code(self) -> int:
        return 0 if self.holds else NOT_VERIFIED

    def to_dict(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "verified": self.holds,
            "key": None if self.key is None else {"name": self.key.name, "hint": self.key.hint},
            "policy_sha256": self.policy.sha256,
            "checks": [{"subject": one.subject, "holds": one.holds, "text": one.text} for one in self.checks],
            "statement": None if self.statement is None else self.statement.to_dict(),
        }


def verify_evidence(config: VerifyEvidenceConfig) -> Verified:
    """Raises ConfigError for a folder that is missing or has a link in it, and for a policy that is not valid."""
    policy = read_policy(config.policy)
    if config.policy_sha256 is not None and config.policy_sha256.removeprefix("sha256:") != policy.sha256:
        raise ConfigError(
            f"The policy {config.policy} has changed: its sha256 is {policy.sha256}.",
            next="Restore it, or give the sha256 of the one that you mean.",
        )
    if Path(config.evidence).is_file():
        return _verify_file(Path(config.evidence), policy, config.subject)
    run = _run(config)
    folder = Path(config.evidence) if run is None else run.folder / PortableAdapter.folder
    if folder.is_dir():
        require_no_links_in(folder)
    signed = _signed(folder, policy)
    statement = signed.value
    checks = [Check(subject="signature", holds=statement is not None, text=signed.text)]
    if statement is not None:
        checks += _model_signature(folder, policy, statement)
        checks += _files(folder, statement)
        checks += [] if run is None else _run_files(run, statement)
        checks += _subject(statement, config.subject)
        checks += policy.checks(statement.predicate)
    return Verified(folder=folder, policy=policy, checks=checks, statement=statement, key=signed.key)


def _verify_file(path: Path, policy: Policy, subject: str | None) -> Verified:
    """A statement about something else than an adapter, such as an image: its signature, and what it is about."""
    signed = first_opened([path], policy, OtherStatement.from_dict)
    assert signed is not None  # of one file
    checks = [Check(subject="signature", holds=signed.value is not None, text=signed.text)]
    if signed.value is not None:
        if signed.value.kind == PREDICATE_TYPE:  # without its files, it says nothing
            raise ConfigError(f"{path} is the verdict on an adapter.", next="Name the folder with the adapter's files.")
        checks.append(Check(subject="kind", holds=True, text=one_line(signed.value.kind)))
        checks += _subject(signed.value, subject)
    return Verified(folder=path, policy=policy, checks=checks, statement=signed.value, key=signed.key)


def _subject(statement: Statement | OtherStatement, demanded: str | None) -> Iterator[Check]:
    if demanded is not None:
        sha256 = demanded.removeprefix("sha256:")
        name = next((name for name, digest in statement.subjects.items() if digest == sha256), None)
        text = f"not about sha256:{sha256}" if name is None else f"{name}@sha256:{sha256}"
        yield Check(subject="subject", holds=name is not None, text=one_line(text))


def _run(config: VerifyEvidenceConfig) -> Run | None:
    """The run that is named, by its folder or its name; None for the folder of a portable adapter."""
    folder = Path(config.evidence)
    if not folder.is_dir():
        return find_run(config.evidence, config.output)
    is_run = (folder / RECORD).is_file() and not ((folder / ADAPTER_FILE).exists() or evidence_files(folder))
    return read_run(folder) if is_run else None


def _signed(folder: Path, policy: Policy) -> Opened[Statement]:
    """The evidence in the folder that one of the policy's keys has signed; else what is wrong with one."""
    found = first_opened(evidence_files(folder), policy, Statement.from_dict)
    return found or Opened(path=folder / EVIDENCE, text=f"{folder} has no {EVIDENCE}")


def _model_signature(folder: Path, policy: Policy, statement: Statement) -> Iterator[Check]:
    """That what other programs read says the same; none without such a file, which evidence of older versions lacks."""
    found = first_opened(model_signatures(folder), policy, signed_files)
    if found is not None:
        same = found.value == statement.files
        text = found.text if same or found.value is None else f"{found.path.name} is about other files"
        yield Check(subject="model signature", holds=same, text=text)


def _files(folder: Path, statement: Statement) -> Iterator[Check]:
    """One for each file that is not as it was signed; one in all if every file is."""
    found = {path.name: path for path in sorted(folder.iterdir()) if not _is_outside(path)}
    wrong = [
        Check(subject=KINDS.get(name, "file"), holds=False, text=text)
        for name, sha256 in statement.files.items()
        if (text := _difference(folder / name, sha256)) is not None
    ]
    extra = [
        Check(subject="file", holds=False, text=one_line(f"{name} was not signed"))
        for name in found
        if name not in statement.files
    ]
    if ADAPTER_FILE not in statement.files:
        wrong.append(Check(subject="adapter", holds=False, text=f"the evidence is not about an {ADAPTER_FILE}"))
    count = len(statement.files)
    yield from wrong + extra or [Check(subject="files", holds=True, text=f"all {count} are as they were signed")]


def _is_outside(path: Path) -> bool:
    """Of a hub's, of the export itself, or a signature."""
    own = (EXPORT_MANIFEST, EVIDENCE_FILES, MODEL_SIGNATURES)
    return path.name.startswith(".") or any(path.match(pattern) for pattern in own)


def _difference(path: Path, sha256: str) -> str | None:
    try:
        found = file_sha256(path)
    except OSError:
        return f"{path.name} is missing"
    return None if found == sha256 else f"{path.name} {CHANGED}: its sha256 is {found}"


def _run_files(run: Run, statement: Statement) -> Iterator[Check]:
    """What a replay starts from: the run's own adapter, report and rows."""
    signed = statement.predicate
    adapter = run.adapter / ADAPTER_FILE
    wrong = _faults({"adapter": (adapter, signed.adapter_sha256)})
    wrong += _faults({f"data {name}": (run.folder / name, sha256) for name, sha256 in signed.data.files.items()})
    wrong += _report_faults(run.folder / COMPARISON / REPORT, signed.report_sha256)
    pairs = {
        "data": (run.record.data.sha256, signed.data.sha256),
        "base": (run.record.base_model.lock_sha256, signed.base_model.lock_sha256),
    }
    wrong += [
        Check(subject=name, holds=False, text=f"{RECORD} has {found}, but {sha256} was signed")
        for name, (found, sha256) in pairs.items()
        if found != sha256
    ]
    yield from wrong or [
        Check(subject="run", holds=True, text="its adapter, report and rows are those of the evidence")
    ]


def _faults(files: Mapping[str, tuple[Path, str]]) -> list[Check]:
    found = {subject: _difference(path, sha256) for subject, (path, sha256) in files.items()}
    return [
        Check(subject=subject.partition(" ")[0], holds=False, text=text)
        for subject, text in found.items()
        if text is not None
    ]


def _report_faults(path: Path, sha256: str) -> list[Check]:
    """The published report is the run's own, without this machine's paths."""
    try:
        found = content_sha256(redacted(read_regular_json(path)))
    except FileNotFoundError:
        text = f"{COMPARISON}/{REPORT} is missing"
    except (OSError, ValueError, TypeError, AttributeError) as error:
        text = f"{COMPARISON}/{REPORT} cannot be read: {error}"
    else:
        text = "" if found == sha256 else f"{COMPARISON}/{REPORT} is not the one that was signed"
    return [Check(subject="report", holds=False, text=one_line(text))] if text else []
