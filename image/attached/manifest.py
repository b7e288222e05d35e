"""The manifests of what is published beside images: files and a configuration, or what refers to another manifest.

Contacts no registry. OCI image specification 1.1: https://github.com/opencontainers/image-spec/blob/main/manifest.md
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.core.files import content_digest, file_digest
from image.registry import MANIFEST_TYPE

FILE_PATH, TITLE = "org.cncf.model.filepath", "org.opencontainers.image.title"
EMPTY_TYPE, EMPTY = "application/vnd.oci.empty.v1+json", b"{}"


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A file or the configuration of an artifact. A blob to be pushed has its bytes in `path` or `content`."""

    media_type: str
    digest: str  # sha256:…
    size_bytes: int
    name: str = ""
    path: Path | None = None
    content: bytes = b""

    @classmethod
    def of_file(cls, path: Path, media_type: str, name: str = "") -> "Blob":
        return cls(
            media_type=media_type, digest=file_digest(path), size_bytes=path.stat().st_size, name=name, path=path
        )

    @classmethod
    def of_content(cls, content: bytes, media_type: str) -> "Blob":
        return cls(media_type=media_type, digest=content_digest(content), size_bytes=len(content), content=content)

    def descriptor(self) -> dict[str, Any]:
        descriptor: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size_bytes}
        return descriptor | ({"annotations": {FILE_PATH: self.name, TITLE: self.name}} if self.name else {})


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The manifest that a referrer is about."""

    digest: str
    size_bytes: int
    media_type: str = MANIFEST_TYPE


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """`manifest`: its exact bytes. `blobs`: the files and, last, the configuration."""

    manifest: bytes
    blobs: tuple[Blob, ...]

    @property
    def digest(self) -> str:
        return content_digest(self.manifest)

    @property
    def subject(self) -> Subject:
        """For what refers to it."""
        return Subject(digest=self.digest, size_bytes=len(self.manifest))

    def descriptor(self) -> dict[str, Any]:
        """What a list of referrers says about it."""
        content = json.loads(self.manifest)
        annotations = {"annotations": content["annotations"]} if "annotations" in content else {}
        return {
            "mediaType": MANIFEST_TYPE, "digest": self.digest, "size": len(self.manifest),
            "artifactType": content["artifactType"],
        } | annotations  # fmt: skip


def make_artifact(
    artifact_type: str, files: tuple[Blob, ...], config: Blob, annotations: Mapping[str, str],
    subject: Subject | None = None,
) -> Artifact:  # fmt: skip
    """The same files give the same manifest, byte for byte."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": artifact_type,
        "config": config.descriptor(),
        "layers": [blob.descriptor() for blob in files],
    }
    if subject is not None:
        manifest["subject"] = {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size_bytes}
    if annotations:
        manifest["annotations"] = dict(annotations)
    return Artifact(manifest=encode(manifest), blobs=(*files, config))


def make_referrer(
    artifact_type: str, files: tuple[Blob, ...], subject: Subject, annotations: Mapping[str, str] | None = None
) -> Artifact:
    return make_artifact(artifact_type, files, Blob.of_content(EMPTY, EMPTY_TYPE), annotations or {}, subject)


def encode(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode()
