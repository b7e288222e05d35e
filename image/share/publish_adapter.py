"""The use case `publish-adapter`: pushes a run's portable adapter and its report as an OCI artifact."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from image.attached.manifest import Artifact
from image.attached.referrers import push_blobs, push_referrer
from image.core.address import Address, read_address
from image.core.errors import ConfigError, RegistryError
from image.core.files import content_digest, file_digest, shareable_files
from image.core.lock import Lock
from image.core.progress import Listener, Notify
from image.core.project import DEFAULT_MODEL, ROOT, find_lock
from image.core.suggestion import make_command
from image.engine import find_login
from image.registry import Repository
from image.share.artifact import MEDIA_TYPES, Facts, pack
from image.share.evidence import EVIDENCE, MODEL_SIGNATURE, pack_evidence
from image.share.history import PublishRecord, append_record
from image.share.rows import pack_rows
from image.share.run_layer import RECORD, find_run, read_finished_record, read_report

PORTABLE = "adapter"  # the folder in the run that `toolkit export --to adapter` writes
COMPARED_KEYS = ("verdict", "metrics", "timings_s")  # equal in two reports of the same comparison


@dataclass(frozen=True, kw_only=True)
class PublishAdapterConfig:
    """`target`: registry/name:tag, or registry/name to use the run's name as the tag.

    `with_rows`: attach what the run was trained on, so that others can replay it.
    """

    target: str
    run: str
    output: Path
    even_if_failed: bool = False
    with_rows: bool = False
    ca_bundle: Path | None = None
    plain_http: bool = False
    tries: int = 5


def publish_adapter(
    config: PublishAdapterConfig, *, notify: Notify, listener: Listener, registry: Repository | None = None
) -> PublishRecord:
    """Raises ConfigError (3) and RegistryError (10). The same content always gets the same digest."""
    run = find_run(config.output, config.run)
    facts = _read_facts(run)
    _require_verdict(facts, run, even_if_failed=config.even_if_failed)
    address = read_address(config.target if ":" in config.target.rpartition("/")[2] else f"{config.target}:{run.name}")
    artifact = pack(run / PORTABLE, facts)
    rows = pack_rows(run, read_finished_record(run), artifact) if config.with_rows else None
    attached = {
        "the signed evidence": pack_evidence(run / PORTABLE, EVIDENCE, artifact),
        "its files' signature": pack_evidence(run / PORTABLE, MODEL_SIGNATURE, artifact),
        "rows, log and probes": rows,
    }
    registry = registry or Repository(
        address, notify=notify, login=find_login(address.registry), ca_bundle=config.ca_bundle,
        plain_http=config.plain_http, tries=config.tries,
    )  # fmt: skip
    start = time.monotonic()
    sent = push_blobs(registry, artifact.blobs, listener)
    registry.push_manifest(artifact.manifest)  # last, so that a tag is always complete
    _confirm_digest(registry, artifact, address)
    referrers = {what: referrer for what, referrer in attached.items() if referrer is not None}
    for what, referrer in referrers.items():
        sent += push_referrer(registry, referrer, artifact.digest, listener)
        notify(f"attached: {what}, {referrer.digest}")
    record = PublishRecord(
        reference=str(address),
        digest=artifact.digest,
        layers=sum(len(one.blobs) for one in (artifact, *referrers.values())),
        layers_sent=len(sent),
        bytes_sent=sum(blob.size_bytes for blob in sent),
        seconds=round(time.monotonic() - start, 1),
        published_at=datetime.now(UTC).isoformat(timespec="seconds"),
        run=run.name,
    )
    append_record(config.output, record)
    return record


def _read_facts(run: Path) -> Facts:
    """Raises ConfigError if the portable adapter is missing, damaged or out of date."""
    folder, name = run / PORTABLE, run.name
    weights = folder / "adapter_model.safetensors"
    list(shareable_files(run, RECORD))  # raises for a link before anything is read through it
    record = read_finished_record(run)
    export = _make("export", run, record, ARGS="--to adapter --force")
    list(shareable_files(folder, *MEDIA_TYPES))
    if not all(path.is_file() for path in (weights, folder / "adapter_config.json", folder / "run.json")):
        raise ConfigError(f"{folder} does not contain a portable adapter.", next=f'Export it first with "{export}".')
    adapter_sha256 = str(record["adapter"].get("sha256", ""))
    if file_digest(weights) != f"sha256:{adapter_sha256}":
        raise ConfigError(f"{weights} is not the adapter of {name}.", next=f'Export it again with "{export}".')
    verdict = _read_verdict(run, folder, adapter_sha256, export)
    try:
        return _facts(name, record, adapter_sha256, verdict)
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{run / RECORD} is not the record of a finished run: {error!r}.") from error


def _facts(name: str, record: Mapping[str, Any], adapter_sha256: str, verdict: str) -> Facts:
    base = record["base_model"]
    lock = _shipped_lock(base)
    return Facts(
        run_id=name,
        created=str(record["finished_at"]),
        verdict=verdict,
        family=str(base.get("family") or "qwen2"),  # older versions trained no other, and did not record it
        base_name=str(base["name"]),
        base_repository=str(base.get("repository") or ""),
        base_revision=str(base.get("revision") or ""),
        base_lock_sha256=str(base.get("lock_sha256") or ""),
        licence="" if lock is None else lock.licence,
        adapter_sha256=adapter_sha256,
        data_sha256=str(record["data"]["sha256"]),
        precision=str(record["recipe"].get("precision") or "float32"),
    )


def _read_verdict(run: Path, folder: Path, adapter_sha256: str, export: str) -> str:
    """The verdict of the exported report. Raises ConfigError if the run was compared again after the export."""
    latest, exported = _report(run / "compare" / "report.json"), _report(folder / "report.json")
    if latest.get("after", {}).get("adapter_sha256") == adapter_sha256 and any(
        latest.get(key) != exported.get(key) for key in COMPARED_KEYS
    ):
        raise ConfigError(
            f"{run.name} was compared again after {folder} was written.", next=f'Update it with "{export}".'
        )
    if exported.get("after", {}).get("adapter_sha256") != adapter_sha256:
        return "not compared"
    verdict = exported.get("verdict")
    return "passed" if isinstance(verdict, dict) and verdict.get("passed") is True else "failed"


def _require_verdict(facts: Facts, run: Path, *, even_if_failed: bool) -> None:
    if facts.verdict == "passed" or even_if_failed:
        return
    failed = facts.verdict == "failed"
    what = "did not pass its comparison" if failed else "has no comparison report for its adapter"
    compare = _make("compare", run, read_finished_record(run))
    remedy = "Train again" if failed else f'Run "{compare}" and export again'
    raise ConfigError(
        f"{facts.run_id} {what}.",
        next=f"{remedy}, or use --even-if-failed; the annotations and the model card then say so.",
    )


def _make(target: str, run: Path, record: Mapping[str, Any], **variables: str) -> str:
    """A make command about a run, with the base model that the image of the run has."""
    base = record.get("base_model")
    model = str(base.get("name", "")) if isinstance(base, dict) else ""
    model = (
        "" if model == DEFAULT_MODEL or not (ROOT / "data" / "locks" / f"{Path(model).name}.json").is_file() else model
    )
    return make_command(target, output=run.parent, RUN=run.name, MODEL=model, **variables)


def _shipped_lock(base: Mapping[str, Any]) -> Lock | None:
    """The shipped lock that the run's base model matched; None for a base model of the user's."""
    try:
        lock = find_lock(str(base["name"]))
    except ConfigError:
        return None
    return lock if lock.sha256 == base.get("lock_sha256") else None


def _confirm_digest(registry: Repository, artifact: Artifact, address: Address) -> None:
    """Raises RegistryError if the registry now holds another manifest."""
    if (reported := content_digest(registry.manifest())) != artifact.digest:
        raise RegistryError(
            f"{address} is {reported} in the registry, but {artifact.digest} was pushed.",
            next="Check whether somebody else pushed this tag.",
        )


def _report(path: Path) -> dict[str, Any]:
    """The comparison report in `path`; empty if there is none that names its adapter. Raises ConfigError."""
    report = read_report(path)
    return report if isinstance(report.get("after"), dict) else {}
