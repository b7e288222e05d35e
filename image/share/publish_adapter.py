"""The use case `publish-adapter`: a run's portable adapter and its report, pushed as an OCI artifact."""

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from image.core.address import Address, read_address
from image.core.errors import ConfigError, RegistryError
from image.core.lock import Lock
from image.core.progress import Listener, Progress, Say
from image.core.project import find_lock
from image.engine import find_login
from image.registry import Repository
from image.share.artifact import Artifact, Blob, Facts, digest_of, file_digest, pack
from image.share.history import Published, record
from image.share.run_layer import find_run

PORTABLE = "adapter"  # where `toolkit export --to adapter` puts it, in the run
EXPORT_FIRST = "toolkit export {run} --to adapter"
SAME_COMPARISON = ("verdict", "metrics", "timings_s")


@dataclass(frozen=True, kw_only=True)
class PublishAdapterConfig:
    """`target`: registry/name:tag; without a tag, the run's own name is it."""

    target: str
    run: str
    output: Path
    even_if_failed: bool = False
    ca_bundle: Path | None = None
    plain_http: bool = False
    tries: int = 5


def publish_adapter(
    config: PublishAdapterConfig, *, say: Say, listener: Listener, registry: Repository | None = None
) -> Published:
    """Raises ConfigError (3) and RegistryError (10). The same content pushed twice has the same digest."""
    run = find_run(config.output, config.run)
    facts = _facts(run)
    _require_verdict(facts, even_if_failed=config.even_if_failed)
    address = read_address(config.target if ":" in config.target.rpartition("/")[2] else f"{config.target}:{run.name}")
    artifact = pack(run / PORTABLE, facts)
    registry = registry or Repository(
        address, say=say, login=find_login(address.registry), ca_bundle=config.ca_bundle,
        plain_http=config.plain_http, tries=config.tries,
    )  # fmt: skip
    began = time.monotonic()
    sent = _pushed(registry, artifact, listener)
    _require_same(registry, artifact, address)
    published = Published(
        reference=str(address),
        digest=artifact.digest,
        layers=len(artifact.blobs),
        layers_sent=len(sent),
        bytes_sent=sum(blob.size_bytes for blob in sent),
        seconds=round(time.monotonic() - began, 1),
        published_at=datetime.now(UTC).isoformat(timespec="seconds"),
        run=run.name,
    )
    record(config.output, published)
    return published


def _facts(run: Path) -> Facts:
    """Raises ConfigError where the portable adapter is absent, damaged, or not what the run is now."""
    folder, name = run / PORTABLE, run.name
    export = EXPORT_FIRST.format(run=name)
    weights = folder / "adapter_model.safetensors"
    told, record_there = _json(run / "run.json"), folder / "run.json"
    if told.get("status") != "finished":
        raise ConfigError(f"{name} is {told.get('status')}, so it has no adapter to publish.", next="See make runs.")
    if not weights.is_file() or not (folder / "adapter_config.json").is_file() or not record_there.is_file():
        raise ConfigError(f"{folder} holds no portable adapter.", next=f"Write it first: {export}.")
    recorded = str((told.get("adapter") or {}).get("sha256", ""))
    if (found := file_digest(weights).removeprefix("sha256:")) != recorded:
        raise ConfigError(
            f"{weights} is not the adapter that {name} ended with.", next=f"Write it anew: {export} --force."
        )
    base, lock = told["base_model"], _lock(told["base_model"])
    return Facts(
        run_id=name,
        created=str(told["finished_at"]),
        verdict=_verdict(run, folder, found, export),
        base_name=str(base["name"]),
        base_repository=str(base.get("repository") or ""),
        base_revision=str(base.get("revision") or ""),
        base_lock_sha256=str(base.get("lock_sha256") or ""),
        licence="" if lock is None else lock.licence,
        adapter_sha256=recorded,
        data_sha256=str(told["data"]["sha256"]),
        precision=str(told["recipe"].get("precision") or "float32"),
    )


def _verdict(run: Path, folder: Path, adapter_sha256: str, export: str) -> str:
    """Of the report that travels along. Raises ConfigError where the run was compared again since."""
    ours, theirs = _report(run / "compare" / "report.json"), _report(folder / "report.json")
    if ours.get("after", {}).get("adapter_sha256") == adapter_sha256 and any(
        ours.get(key) != theirs.get(key) for key in SAME_COMPARISON
    ):
        raise ConfigError(
            f"{run.name} was compared since {folder} was written.", next=f"Bring it up to date: {export}."
        )
    if theirs.get("after", {}).get("adapter_sha256") != adapter_sha256:
        return "not compared"
    return "passed" if theirs["verdict"]["passed"] else "failed"


def _require_verdict(facts: Facts, *, even_if_failed: bool) -> None:
    if facts.verdict == "passed" or even_if_failed:
        return
    what = "did not pass its comparison" if facts.verdict == "failed" else "has no report that speaks of its adapter"
    first = "Train it anew" if facts.verdict == "failed" else f"Run toolkit compare {facts.run_id}, then export again"
    raise ConfigError(
        f"{facts.run_id} {what}.", next=f"{first}; or give --even-if-failed: annotations and card then say so."
    )


def _lock(base: Mapping[str, Any]) -> Lock | None:
    """The shipped lock that the run's base had; None for a base of the user's own."""
    try:
        lock = find_lock(str(base["name"]))
    except ConfigError:
        return None
    return lock if lock.sha256 == base.get("lock_sha256") else None


def _pushed(registry: Repository, artifact: Artifact, listener: Listener) -> list[Blob]:
    """Those that the registry did not have. The manifest comes last: a tag never names what is not there."""
    sent, done, total = [], 0, sum(blob.size_bytes for blob in artifact.blobs)
    with tempfile.TemporaryDirectory(prefix="artifact-") as made:
        for blob in artifact.blobs:
            path = blob.path
            if path is None:
                path = Path(made) / "config.json"
                path.write_bytes(blob.content)
            if registry.push_blob(path, blob.digest, blob.size_bytes):
                sent.append(blob)
            done += blob.size_bytes
            listener(Progress(task="adapter", done=done, total=total))
    registry.push_manifest(artifact.manifest)
    return sent


def _require_same(registry: Repository, artifact: Artifact, address: Address) -> None:
    if (there := digest_of(registry.manifest())) != artifact.digest:
        raise RegistryError(
            f"{address} is {there} in the registry, and {artifact.digest} was sent.",
            next="Did somebody else push it?",
        )


def _report(path: Path) -> dict[str, Any]:
    """Empty where there is none, or none that can be read."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) and isinstance(told.get("after"), dict) else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.", next="List the runs: make runs.") from error
