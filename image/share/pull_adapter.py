"""The use case `pull-adapter`: a published adapter fetched by its reference, every byte held against its digest."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.core import labels
from image.core.address import Address, read_address
from image.core.errors import ConfigError, RegistryError
from image.core.progress import Listener, Progress, Say
from image.engine import find_login
from image.registry import Repository
from image.share.artifact import Blob, digest_of, file_digest, unpack

PULLED = "pulled"


@dataclass(frozen=True, kw_only=True)
class PullAdapterConfig:
    """`folder` None: named after the artifact, in `output`/pulled."""

    reference: str
    output: Path
    folder: Path | None = None
    ca_bundle: Path | None = None
    plain_http: bool = False
    tries: int = 5


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """`fresh` is False where all of it lay there already."""

    folder: Path
    digest: str
    base: str
    run_id: str
    verdict: str
    fresh: bool


def pull_adapter(
    config: PullAdapterConfig, *, say: Say, listener: Listener, registry: Repository | None = None
) -> Pulled:
    """Raises ConfigError (3) and RegistryError (10). The folder appears whole, or not at all."""
    address = read_address(config.reference)
    registry = registry or Repository(
        address, say=say, login=find_login(address.registry), ca_bundle=config.ca_bundle,
        plain_http=config.plain_http, tries=config.tries,
    )  # fmt: skip
    manifest = registry.manifest()
    digest = digest_of(manifest)
    if address.digest and digest != address.digest:
        raise RegistryError(
            f"{address} was asked for, and the registry sent {digest}.", next="Pull it again; or trust it no more."
        )
    blobs, annotations = unpack(manifest, str(address))
    folder = config.folder or config.output / PULLED / _folder_name(address)
    fresh = not _lies_there(folder, blobs)
    if fresh:
        _fetched(registry, blobs, folder, listener)
    return _pulled(folder, digest, annotations, fresh=fresh)


def _folder_name(address: Address) -> str:
    version = address.tag or address.digest.removeprefix("sha256:")[:12]
    return f"{address.repository.rpartition('/')[2]}-{version}"


def _lies_there(folder: Path, blobs: Sequence[Blob]) -> bool:
    """True where `folder` holds just these files. Raises ConfigError where it holds others."""
    if not folder.exists():
        return False
    try:
        found = {path.name: file_digest(path) for path in folder.iterdir()}
    except OSError:  # a folder within, or a file in its place
        found = {}
    if found != {blob.name: blob.digest for blob in blobs}:
        raise ConfigError(
            f"{folder} is there and holds something else.", next="Move it away, or name another with --to."
        )
    return True


def _fetched(registry: Repository, blobs: Sequence[Blob], folder: Path, listener: Listener) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    total, done = sum(blob.size_bytes for blob in blobs), 0
    try:
        partial.mkdir(parents=True)
        if (free := shutil.disk_usage(partial).free) < total:
            raise ConfigError(
                f"{folder.parent} has {free / 1e6:.0f} MB free, the adapter needs {total / 1e6:.0f} MB.",
                next="Make room, or name another folder with --to.",
            )
        for blob in blobs:
            registry.fetch_blob(blob.digest, blob.size_bytes, partial / blob.name)
            done += blob.size_bytes
            listener(Progress(task="adapter", done=done, total=total))
        partial.rename(folder)
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written: {error.strerror or error}.", next="Name another folder with --to."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _pulled(folder: Path, digest: str, annotations: Mapping[str, str], *, fresh: bool) -> Pulled:
    base = annotations.get(labels.MODEL_REPOSITORY) or annotations.get(labels.MODEL_NAME, "unknown")
    revision = annotations.get(labels.MODEL_REVISION, "") if labels.MODEL_REPOSITORY in annotations else ""
    return Pulled(
        folder=folder,
        digest=digest,
        base=f"{base}@{revision}" if revision else base,
        run_id=annotations.get(labels.RUN_ID, "unknown"),
        verdict=annotations.get(labels.RUN_VERDICT, "unknown"),
        fresh=fresh,
    )
