"""The use case `pull-adapter`: downloads a published adapter and checks every file against its digest."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.attached.manifest import Blob
from image.core import labels
from image.core.address import Address, read_address
from image.core.errors import ConfigError, RegistryError, first_line
from image.core.files import content_digest, file_digest, locked_folder
from image.core.progress import Listener, Notify, Progress
from image.core.text import printable
from image.engine import find_login
from image.registry import Repository
from image.share.artifact import unpack
from image.share.evidence import EVIDENCE, find_evidence
from image.share.rows import pull_rows

PULLED_FOLDER = "pulled"
VERDICTS = ("passed", "failed", "not compared")
MAX_TEXT = 200  # characters of an annotation that are shown


@dataclass(frozen=True, kw_only=True)
class PullAdapterConfig:
    """`folder` None: a folder named after the artifact, in `output`/pulled. `with_rows`: make a run of it too."""

    reference: str
    output: Path
    folder: Path | None = None
    with_rows: bool = False
    ca_bundle: Path | None = None
    plain_http: bool = False
    tries: int = 5


@dataclass(frozen=True, kw_only=True)
class PullResult:
    """`base`: repository@revision or name of the base model. `downloaded`: False if the folder was complete already.

    `evidence`: how many signed verdicts were attached; who signed them is not checked here. `run`: the run's folder, if
    its rows were asked for.
    """

    folder: Path
    digest: str
    base: str
    run_id: str
    verdict: str
    downloaded: bool
    evidence: int
    run: Path | None


def pull_adapter(
    config: PullAdapterConfig, *, notify: Notify, listener: Listener, registry: Repository | None = None
) -> PullResult:
    """Raises ConfigError (3) and RegistryError (10). The folder appears only when it is complete."""
    address = read_address(config.reference)
    registry = registry or Repository(
        address, notify=notify, login=find_login(address.registry), ca_bundle=config.ca_bundle,
        plain_http=config.plain_http, tries=config.tries,
    )  # fmt: skip
    manifest = registry.manifest()
    digest = content_digest(manifest)
    if address.digest and digest != address.digest:
        raise RegistryError(
            f"The registry sent {digest} when asked for {address}.",
            next="Pull it again; if that does not help, do not trust this registry.",
        )
    files, annotations = unpack(manifest, str(address))
    evidence = find_evidence(registry, digest)
    blobs = (*files, *evidence)
    folder = config.folder or _own_folder(config.output) / _folder_name(address)
    downloaded = not _is_complete(folder, blobs) and _download(registry, blobs, folder, listener)
    run = pull_rows(registry, digest, folder) if config.with_rows else None
    verdicts = sum(one.name.startswith(EVIDENCE.partition(".")[0]) for one in evidence)
    return _result(folder, digest, annotations, downloaded=downloaded, evidence=verdicts, run=run)


def _own_folder(output: Path) -> Path:
    """Where pulled adapters go. Raises ConfigError for a link, which would lead out of the output folder."""
    folder = output / PULLED_FOLDER
    if folder.is_symlink():
        raise ConfigError(f"{folder} is a symbolic link.", next="Remove it, or choose another folder with --to.")
    return folder


def _folder_name(address: Address) -> str:
    version = address.tag or address.digest.removeprefix("sha256:")[:12]
    return f"{address.repository.rpartition('/')[2]}-{version}"


def _is_complete(folder: Path, blobs: Sequence[Blob]) -> bool:
    """True if `folder` contains exactly these files, False if it is missing. Raises ConfigError otherwise."""
    if not folder.exists():
        return False
    try:
        found = {path.name: file_digest(path) for path in folder.iterdir() if not path.is_symlink()}
    except OSError:  # it contains a folder, or is a file itself
        found = {}
    if found != {blob.name: blob.digest for blob in blobs}:
        raise ConfigError(
            f"{folder} exists and contains something else.",
            next="Move it away, or choose another folder with --to.",
        )
    return True


def _download(registry: Repository, blobs: Sequence[Blob], folder: Path, listener: Listener) -> bool:
    """False if another process was downloading the same, and is done. Raises ConfigError (disk) and RegistryError."""
    partial = folder.with_name(f"{folder.name}.partial")
    try:
        with locked_folder(partial):
            if _is_complete(folder, blobs):
                shutil.rmtree(partial)
                return False
            _fetch(registry, blobs, partial, listener)
            partial.rename(folder)
    except OSError as error:
        raise ConfigError(
            f"Cannot write {folder}: {first_line(error)}.", next="Choose another folder with --to."
        ) from error
    return True


def _fetch(registry: Repository, blobs: Sequence[Blob], partial: Path, listener: Listener) -> None:
    """Fills the folder, or removes it."""
    total, done = sum(blob.size_bytes for blob in blobs), 0
    try:
        for leftover in partial.iterdir():  # of a pull that was killed
            leftover.unlink()
        _require_space(partial, total)
        for blob in blobs:
            registry.fetch_blob(blob.digest, blob.size_bytes, partial / blob.name)
            done += blob.size_bytes
            listener(Progress(task="adapter", done=done, total=total))
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _require_space(folder: Path, needed_bytes: int) -> None:
    if (free := shutil.disk_usage(folder).free) < needed_bytes:
        raise ConfigError(
            f"{folder.parent} has {free / 1e6:.0f} MB free, but the adapter needs {needed_bytes / 1e6:.0f} MB.",
            next="Free some space, or choose another folder with --to.",
        )


def _result(
    folder: Path, digest: str, annotations: Mapping[str, str], *, downloaded: bool, evidence: int,
    run: Path | None,
) -> PullResult:  # fmt: skip
    base = annotations.get(labels.MODEL_REPOSITORY) or annotations.get(labels.MODEL_NAME, "unknown")
    verdict = annotations.get(labels.RUN_VERDICT)
    revision = annotations.get(labels.MODEL_REVISION, "") if labels.MODEL_REPOSITORY in annotations else ""
    return PullResult(
        folder=folder,
        digest=digest,
        base=printable(f"{base}@{revision}" if revision else base, MAX_TEXT),
        run_id=printable(annotations.get(labels.RUN_ID, "unknown"), MAX_TEXT),
        verdict=verdict if verdict in VERDICTS else "unknown",
        downloaded=downloaded,
        evidence=evidence,
        run=run,
    )
