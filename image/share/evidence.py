"""The signed verdict of an adapter as an OCI referrer, in the form in which cosign attaches a Sigstore bundle.

Nothing here checks a signature: `toolkit verify-evidence` does, with the keys that its user trusts.
https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md
"""

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
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


def evidence_descriptor(evidence: Artifact) -> dict[str, Any]:
    """What a list of referrers says about it."""
    annotations = json.loads(evidence.manifest)["annotations"]
    return {
        "mediaType": MANIFEST_TYPE, "digest": evidence.digest, "size": len(evidence.manifest),
        "artifactType": BUNDLE_TYPE, "annotations": annotations,
    }  # fmt: skip


def find_evidence(registry: Repository, subject: str) -> tuple[Blob, ...]:
    """The bundles attached to the manifest with the digest `subject`, named as files. Raises RegistryError."""
    listed = registry.referrers(subject)[:MAX_LISTED]
    digests = sorted({str(one["digest"]) for one in listed if _is_bundle(one)})[:MAX_ATTACHED]
    found = dict.fromkeys(layer for digest in digests for layer in _layers(registry, digest, subject))
    return tuple(
        Blob(
            media_type=BUNDLE_TYPE, digest=digest, size_bytes=size,
            name=EVIDENCE if at == 1 else EVIDENCE.replace(".", f"-{at}.", 1),
        )
        for at, (digest, size) in enumerate(found, start=1)
    )  # fmt: skip


def _is_bundle(descriptor: Any) -> bool:
    """By the type in the list, which a registry that does not know it leaves out."""
    return (
        isinstance(descriptor, Mapping)
        and descriptor.get("artifactType", BUNDLE_TYPE) == BUNDLE_TYPE
        and DIGEST.fullmatch(str(descriptor.get("digest"))) is not None
    )


def _layers(registry: Repository, digest: str, subject: str) -> Iterator[tuple[str, int]]:
    """Digest and size of each bundle in that referrer; none of a referrer to something else."""
    manifest = registry.manifest(digest)
    try:
        content = json.loads(manifest)
        about = content["subject"]["digest"]
        layers = [(one["mediaType"], one["digest"], one["size"]) for one in content["layers"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    if content_digest(manifest) != digest or about != subject:
        return
    for kind, blob, size in layers:
        if kind != BUNDLE_TYPE:
            continue
        if not DIGEST.fullmatch(str(blob)) or not isinstance(size, int) or not 0 <= size <= MAX_TEXT_BYTES:
            raise RegistryError(
                f"{registry.address} has evidence attached that is not valid.", next="Pull only from sources you trust."
            )
        yield blob, size
