"""Packs a portable adapter as a CNCF ModelPack OCI artifact, and reads the manifest of one. Contacts no registry.

The same files give the same manifest, byte for byte: it records neither when nor where it was made.
Media types and annotations: https://github.com/modelpack/model-spec (docs/spec.md, docs/annotations.md).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.attached.manifest import FILE_PATH, TITLE, Artifact, Blob, encode, make_artifact
from image.core import labels
from image.core.address import DIGEST
from image.core.errors import RegistryError
from image.core.files import shareable_files

ARTIFACT_TYPE = "application/vnd.cncf.model.manifest.v1+json"
CONFIG_TYPE = "application/vnd.cncf.model.config.v1+json"
WEIGHTS, WEIGHTS_CONFIG, DOC = (
    f"application/vnd.cncf.model.{kind}.v1.raw" for kind in ("weight", "weight.config", "doc")
)
# The files that are published, in this order.
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
MAX_FILES = 100
MAX_WEIGHTS_BYTES, MAX_TEXT_BYTES = 64 * 1024**3, 64 * 1024**2  # of a file with tensors, and of any other
PLAIN_NAME = re.compile(r"\w[\w.\-]{0,199}", re.ASCII)
# Files that nothing loads as code; pickles and Python files are not among them.
SAFE_SUFFIXES = ("", ".safetensors", ".json", ".md", ".txt", ".html", ".yaml", ".jinja")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the manifest says about the adapter. `created`: when the run ended, RFC 3339. Empty strings are left out."""

    run_id: str
    created: str
    verdict: str
    family: str
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
        annotations = {
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
        return {name: value for name, value in annotations.items() if value}


def pack(folder: Path, facts: Facts) -> Artifact:
    """The artifact for a portable adapter's folder. Raises OSError, and ConfigError for a link."""
    paths = [path for path in shareable_files(folder, *MEDIA_TYPES) if path.parent == folder]
    files = tuple(Blob.of_file(path, MEDIA_TYPES[path.name], path.name) for path in paths)
    return make_artifact(ARTIFACT_TYPE, files, _config_blob(facts, files), facts.annotations())


def unpack(manifest: bytes, reference: str) -> tuple[tuple[Blob, ...], Mapping[str, str]]:
    """The files that a manifest lists, and its annotations. Raises RegistryError unless it is an adapter's manifest."""
    try:
        content = json.loads(manifest)
        if len(content["layers"]) > MAX_FILES:
            raise RegistryError(
                f"{reference} lists {len(content['layers'])} files; an adapter has at most {MAX_FILES}.",
                next="Pull only from sources that you trust.",
            )
        kind = str(content.get("artifactType") or content["config"]["mediaType"])
        blobs = tuple(_layer_blob(layer) for layer in content["layers"])
        annotations = {str(name): str(value) for name, value in (content.get("annotations") or {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RegistryError(
            f"{reference} is not an adapter artifact: its manifest lists no files.",
            next="If it is an image, use docker pull.",
        ) from error
    names = [blob.name for blob in blobs]
    if kind not in {ARTIFACT_TYPE, CONFIG_TYPE} or not set(REQUIRED) <= set(names):
        raise RegistryError(f"{reference} is not an adapter ({kind}).", next="If it is an image, use docker pull.")
    unsafe = [name for name in names if not _is_safe(name) or names.count(name) > 1]
    if unsafe:
        raise RegistryError(
            f"{reference} contains {unsafe[0]!r}, which does not belong in an adapter.",
            next="Pull only from sources that you trust.",
        )
    large = next((blob for blob in blobs if blob.size_bytes > _max_bytes(blob.name)), None)
    if large is not None:
        raise RegistryError(
            f"{reference} contains {large.name} with {large.size_bytes} bytes; at most {_max_bytes(large.name)} are "
            "accepted.",
            next="Pull only from sources that you trust.",
        )
    return blobs, annotations


def _max_bytes(name: str) -> int:
    return MAX_WEIGHTS_BYTES if name.endswith(".safetensors") else MAX_TEXT_BYTES


def _is_safe(name: str) -> bool:
    return PLAIN_NAME.fullmatch(name) is not None and Path(name).suffix in SAFE_SUFFIXES


def _layer_blob(layer: Mapping[str, Any]) -> Blob:
    """Raises ValueError, KeyError or TypeError if the digest, the size or the name is invalid."""
    annotations = layer.get("annotations") or {}
    digest, size = str(layer["digest"]), layer["size"]
    if not DIGEST.fullmatch(digest) or not isinstance(size, int) or size < 0:
        raise ValueError(digest)
    name = str(annotations.get(FILE_PATH) or annotations[TITLE])
    return Blob(media_type=str(layer["mediaType"]), digest=digest, size_bytes=size, name=name)


def _config_blob(facts: Facts, files: tuple[Blob, ...]) -> Blob:
    base = facts.base_repository or facts.base_name
    content = encode(
        {
            "descriptor": {
                "createdAt": facts.created,
                "family": facts.family,
                "name": f"{facts.base_name}-adapter",
                "version": facts.run_id,
                "title": f"A LoRA adapter for {base}",
                **({"licenses": [facts.licence]} if facts.licence else {}),
            },
            "config": {"architecture": "transformer", "format": "safetensors", "precision": facts.precision},
            "modelfs": {"type": "layers", "diffIds": [blob.digest for blob in files]},
        }
    )
    return Blob.of_content(content, CONFIG_TYPE)
