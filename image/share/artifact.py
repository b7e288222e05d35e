"""A portable adapter as an OCI artifact, in the words of CNCF ModelPack, and back again. Starts nothing, asks nobody.

The same files give the same manifest, byte for byte: nothing in it tells of when or where it was made.
Media types and annotations: https://github.com/modelpack/model-spec (docs/spec.md, docs/annotations.md).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.core import labels
from image.core.errors import RegistryError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
ARTIFACT_TYPE = "application/vnd.cncf.model.manifest.v1+json"
CONFIG_TYPE = "application/vnd.cncf.model.config.v1+json"
WEIGHTS, WEIGHTS_CONFIG, DOC = (
    f"application/vnd.cncf.model.{kind}.v1.raw" for kind in ("weight", "weight.config", "doc")
)
# In this order, weights first; what is not named here does not travel.
MEDIA_TYPES = {
    "adapter_model.safetensors": WEIGHTS,
    "adapter_config.json": WEIGHTS_CONFIG,
    "README.md": DOC,
    "report.json": DOC,
    "report.md": DOC,
    "run.json": DOC,
    "LICENSE": DOC,
    "NOTICE": DOC,
}
REQUIRED = ("adapter_model.safetensors", "adapter_config.json")
FILE_PATH, TITLE = "org.cncf.model.filepath", "org.opencontainers.image.title"
PLAIN_NAME = re.compile(r"\w[\w.\-]{0,199}", re.ASCII)
# Nothing that could be loaded as code: pickles and Python files among them.
HARMLESS = ("", ".safetensors", ".json", ".md", ".txt", ".html", ".yaml", ".jinja")


@dataclass(frozen=True, kw_only=True)
class Blob:
    """`content` or `path` holds it."""

    media_type: str
    digest: str
    size_bytes: int
    name: str = ""
    path: Path | None = None
    content: bytes = b""

    def descriptor(self) -> dict[str, Any]:
        told: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size_bytes}
        return told | ({"annotations": {FILE_PATH: self.name, TITLE: self.name}} if self.name else {})


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """`manifest`: its very bytes. `blobs`: the files and, last, the configuration."""

    manifest: bytes
    blobs: tuple[Blob, ...]

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the manifest says of the adapter. `created`: RFC 3339, when the run ended."""

    run_id: str
    created: str
    verdict: str
    base_name: str
    base_repository: str
    base_revision: str
    base_lock_sha256: str
    licence: str
    adapter_sha256: str
    data_sha256: str
    precision: str

    def annotations(self) -> dict[str, str]:
        base = self.base_repository or self.base_name
        told = {
            "org.opencontainers.image.title": f"A LoRA adapter for {base}",
            "org.opencontainers.image.description": f"Run {self.run_id}; verdict: {self.verdict}.",
            "org.opencontainers.image.created": self.created,
            "org.opencontainers.image.licenses": self.licence,
            labels.MODEL_NAME: self.base_name,
            labels.MODEL_REPOSITORY: self.base_repository,
            labels.MODEL_REVISION: self.base_revision,
            labels.MODEL_LOCK_SHA256: self.base_lock_sha256,
            labels.RUN_ID: self.run_id,
            labels.RUN_ADAPTER_SHA256: self.adapter_sha256,
            labels.RUN_VERDICT: self.verdict,
            labels.DATA_SHA256: self.data_sha256,
        }
        return {name: value for name, value in told.items() if value}


def pack(folder: Path, facts: Facts) -> Artifact:
    """The artifact of a portable adapter's folder. Raises OSError where a file cannot be read."""
    files = tuple(_blob(folder / name, kind) for name, kind in MEDIA_TYPES.items() if (folder / name).is_file())
    config = _config(facts, files)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": ARTIFACT_TYPE,
        "config": config.descriptor(),
        "layers": [blob.descriptor() for blob in files],
        "annotations": facts.annotations(),
    }
    return Artifact(manifest=_encoded(manifest), blobs=(*files, config))


def unpack(manifest: bytes, reference: str) -> tuple[tuple[Blob, ...], Mapping[str, str]]:
    """The files that a manifest names, and its annotations. Raises RegistryError where it is no adapter's."""
    try:
        told = json.loads(manifest)
        kind = told.get("artifactType") or told["config"]["mediaType"]
        blobs = tuple(_named(layer) for layer in told["layers"])
        annotations = {str(name): str(value) for name, value in (told.get("annotations") or {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RegistryError(
            f"{reference} is not an adapter's artifact: its manifest names no files.",
            next="An image is pulled with docker pull.",
        ) from error
    names = [blob.name for blob in blobs]
    if kind not in {ARTIFACT_TYPE, CONFIG_TYPE} or not set(REQUIRED) <= set(names):
        raise RegistryError(f"{reference} holds no adapter ({kind}).", next="An image is pulled with docker pull.")
    if (odd := next((name for name in names if not _harmless(name) or names.count(name) > 1), None)) is not None:
        raise RegistryError(
            f"{reference} holds {odd!r}, which is no file of an adapter.", next="Pull from whom you trust."
        )
    return blobs, annotations


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def file_digest(path: Path) -> str:
    """Raises OSError."""
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _harmless(name: str) -> bool:
    return PLAIN_NAME.fullmatch(name) is not None and Path(name).suffix in HARMLESS


def _named(layer: Mapping[str, Any]) -> Blob:
    """`size` is declared before a byte is fetched, so that a pull knows where to stop."""
    annotations = layer.get("annotations") or {}
    digest, size = str(layer["digest"]), layer["size"]
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest) or not isinstance(size, int) or size < 0:
        raise ValueError(digest)
    name = str(annotations.get(FILE_PATH) or annotations[TITLE])
    return Blob(media_type=str(layer["mediaType"]), digest=digest, size_bytes=size, name=name)


def _blob(path: Path, media_type: str) -> Blob:
    return Blob(
        media_type=media_type, digest=file_digest(path), size_bytes=path.stat().st_size, name=path.name, path=path
    )


def _config(facts: Facts, files: tuple[Blob, ...]) -> Blob:
    base = facts.base_repository or facts.base_name
    content = _encoded(
        {
            "descriptor": {
                "createdAt": facts.created,
                "family": "qwen2",
                "name": f"{facts.base_name}-adapter",
                "version": facts.run_id,
                "title": f"A LoRA adapter for {base}",
                **({"licenses": [facts.licence]} if facts.licence else {}),
            },
            "config": {"architecture": "transformer", "format": "safetensors", "precision": facts.precision},
            "modelfs": {"type": "layers", "diffIds": [blob.digest for blob in files]},
        }
    )
    return Blob(media_type=CONFIG_TYPE, digest=digest_of(content), size_bytes=len(content), content=content)


def _encoded(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode()
