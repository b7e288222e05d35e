"""The signed verdict of an adapter as an OCI referrer, in the form in which cosign attaches a Sigstore bundle.

Nothing here checks a signature: `toolkit verify-evidence` does, with the keys that its user trusts.
https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md
"""

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.core.address import DIGEST
from image.core.errors import ConfigError, RegistryError
from image.core.files import content_digest, file_digest, shareable_files
from image.core.suggestion import make_command
from image.registry import MANIFEST_TYPE, Repository
from image.share.artifact import MAX_TEXT_BYTES, Artifact, Blob

EVIDENCE = "evidence.sigstore.json"  # as `toolkit attest` names it; further ones are evidence-2.sigstore.json, …
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
EMPTY_TYPE, EMPTY = "application/vnd.oci.empty.v1+json", b"{}"
CONTENT, PREDICATE_TYPE = "dev.sigstore.bundle.content", "dev.sigstore.bundle.predicateType"
MAX_ATTACHED, MAX_LISTED = 20, 1000


def pack_evidence(folder: Path, artifact: Artifact) -> Artifact | None:
    """The referrer for the evidence in a portable adapter's folder; None where nothing is signed.

    Raises ConfigError for evidence about other files than those of `artifact`.
    """
    path = next(shareable_files(folder, EVIDENCE), None)
    if path is None:
        return None
    again = make_command("attest", output=folder.parents[1], RUN=folder.parent.name)
    try:
        statement = json.loads(b64decode(json.loads(path.read_text(encoding="utf-8"))["dsseEnvelope"]["payload"]))
        signed = {str(one["name"]): f"sha256:{one['digest']['sha256']}" for one in statement["subject"]}
        predicate_type = str(statement["predicateType"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"{path} is not signed evidence: {error!r}.", next=f'Sign it again with "{again}", or remove it.'
        ) from error
    changed = [blob.name for blob in artifact.blobs if blob.name and signed.get(blob.name) != blob.digest]
    if changed:
        raise ConfigError(
            f"{path} is not about the files beside it: {changed[0]} has changed since it was signed.",
            next=f'Sign it again with "{again}", or remove it.',
        )
    evidence = Blob(media_type=BUNDLE_TYPE, digest=file_digest(path), size_bytes=path.stat().st_size, path=path)
    config = Blob(media_type=EMPTY_TYPE, digest=content_digest(EMPTY), size_bytes=len(EMPTY), content=EMPTY)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": BUNDLE_TYPE,
        "config": config.descriptor(),
        "layers": [evidence.descriptor()],
        "subject": {"mediaType": MANIFEST_TYPE, "digest": artifact.digest, "size": len(artifact.manifest)},
        "annotations": {CONTENT: "dsse-envelope", PREDICATE_TYPE: predicate_type},
    }
    return Artifact(manifest=json.dumps(manifest, indent=2).encode(), blobs=(evidence, config))


@dataclass(frozen=True, kw_only=True)
class Attached:
    """The layers of one referrer, as its manifest has them."""

    layers: tuple[Any, ...]

    @staticmethod
    def blob(layer: Any, max_bytes: int) -> tuple[str, int] | None:
        """Digest and size; None for a layer that has not both."""
        if not isinstance(layer, Mapping):
            return None
        digest, size = str(layer.get("digest")), layer.get("size")
        valid = DIGEST.fullmatch(digest) and isinstance(size, int) and 0 <= size <= max_bytes
        return (digest, size) if valid and isinstance(size, int) else None


def descriptor(referrer: Artifact) -> dict[str, Any]:
    """What a list of referrers says about it."""
    content = json.loads(referrer.manifest)
    annotations = {"annotations": content["annotations"]} if "annotations" in content else {}
    return {
        "mediaType": MANIFEST_TYPE, "digest": referrer.digest, "size": len(referrer.manifest),
        "artifactType": content["artifactType"],
    } | annotations  # fmt: skip


def find_evidence(registry: Repository, subject: str) -> tuple[Blob, ...]:
    """The bundles attached to the manifest with the digest `subject`, named as files. Raises RegistryError."""
    found: dict[tuple[str, int], None] = {}
    for attached in find_attached(registry, subject, BUNDLE_TYPE):
        for layer in attached.layers:
            if (blob := Attached.blob(layer, MAX_TEXT_BYTES)) is None:
                raise RegistryError(
                    f"{registry.address} has evidence attached that is not valid.",
                    next="Pull only from sources that you trust.",
                )
            found[blob] = None
    return tuple(
        Blob(
            media_type=BUNDLE_TYPE, digest=digest, size_bytes=size,
            name=EVIDENCE if at == 1 else EVIDENCE.replace(".", f"-{at}.", 1),
        )
        for at, (digest, size) in enumerate(found, start=1)
    )  # fmt: skip


def find_attached(registry: Repository, subject: str, artifact_type: str) -> Iterator[Attached]:
    """The referrers of that type to the manifest with the digest `subject`, in the order of their own digests."""
    listed = registry.referrers(subject)[:MAX_LISTED]
    digests = sorted({str(one["digest"]) for one in listed if _may_be(one, artifact_type)})
    for digest in digests[:MAX_ATTACHED]:
        manifest = registry.manifest(digest)
        try:
            content = json.loads(manifest)
            kind, about = content["artifactType"], content["subject"]["digest"]
            layers = tuple(content["layers"])
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if (content_digest(manifest), about, kind) == (digest, subject, artifact_type):
            yield Attached(layers=layers)


def _may_be(listed: Any, artifact_type: str) -> bool:
    """By the type in the list, which a registry that does not know it leaves out."""
    return (
        isinstance(listed, Mapping)
        and listed.get("artifactType", artifact_type) == artifact_type
        and DIGEST.fullmatch(str(listed.get("digest"))) is not None
    )
