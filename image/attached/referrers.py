"""What refers to a manifest in a registry, as an untrusted list gives it, and what is pushed to it."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.attached.manifest import Artifact, Blob
from image.core.address import DIGEST
from image.core.files import content_digest
from image.core.progress import Listener, Progress
from image.registry import Repository

CONTENT, PREDICATE_TYPE = "dev.sigstore.bundle.content", "dev.sigstore.bundle.predicateType"
MAX_ATTACHED, MAX_LISTED = 20, 1000


@dataclass(frozen=True, kw_only=True)
class Attached:
    """The layers of one referrer, and the type of what is stated in them, as its manifest has them."""

    layers: tuple[Any, ...]
    predicate_type: str

    @staticmethod
    def blob(layer: Any, max_bytes: int) -> tuple[str, int] | None:
        """Digest and size; None for a layer that has not both."""
        if not isinstance(layer, Mapping):
            return None
        digest, size = str(layer.get("digest")), layer.get("size")
        valid = DIGEST.fullmatch(digest) and isinstance(size, int) and 0 <= size <= max_bytes
        return (digest, size) if valid and isinstance(size, int) else None


def find_attached(registry: Repository, subject: str, *artifact_types: str) -> Iterator[Attached]:
    """The referrers of those types to the manifest with the digest `subject`, in the order of their own digests."""
    listed = registry.referrers(subject)[:MAX_LISTED]
    digests = sorted({str(one["digest"]) for one in listed if _may_be(one, artifact_types)})
    for digest in digests[:MAX_ATTACHED]:
        manifest = registry.manifest(digest)
        try:
            content = json.loads(manifest)
            kind, about = content["artifactType"], content["subject"]["digest"]
            layers = tuple(content["layers"])
            predicate_type = str((content.get("annotations") or {}).get(PREDICATE_TYPE))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        if (content_digest(manifest), about) == (digest, subject) and kind in artifact_types:
            yield Attached(layers=layers, predicate_type=predicate_type)


def _may_be(listed: Any, artifact_types: tuple[str, ...]) -> bool:
    """By the type in the list, which a registry that does not know it leaves out."""
    return (
        isinstance(listed, Mapping)
        and listed.get("artifactType", artifact_types[0]) in artifact_types
        and DIGEST.fullmatch(str(listed.get("digest"))) is not None
    )


def push_referrer(registry: Repository, referrer: Artifact, subject: str, listener: Listener) -> list[Blob]:
    """Returns the blobs that the registry did not have."""
    sent = push_blobs(registry, referrer.blobs, listener)
    registry.push_referrer(referrer.manifest, referrer.descriptor(), subject)
    return sent


def push_blobs(registry: Repository, blobs: Sequence[Blob], listener: Listener) -> list[Blob]:
    """Returns the blobs that the registry did not have."""
    sent, done, total = [], 0, sum(blob.size_bytes for blob in blobs)
    with tempfile.TemporaryDirectory(prefix="artifact-") as folder:
        for blob in blobs:
            path = blob.path
            if path is None:
                path = Path(folder) / "config.json"
                path.write_bytes(blob.content)
            if registry.push_blob(path, blob.digest, blob.size_bytes):
                sent.append(blob)
            done += blob.size_bytes
            listener(Progress(task="adapter", done=done, total=total))
    return sent
