"""The signed verdict of an adapter as an OCI referrer, in the form in which cosign attaches a Sigstore bundle.

Nothing here checks a signature: `toolkit verify-evidence` does, with the keys that its user trusts.
https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from image.attached.manifest import Artifact, Blob, make_referrer
from image.attached.referrers import CONTENT, PREDICATE_TYPE, Attached, find_attached
from image.attached.statements import BUNDLE_TYPE
from image.core.errors import ConfigError, RegistryError
from image.core.files import shareable_files
from image.core.suggestion import make_command
from image.registry import Repository
from image.share.artifact import MAX_TEXT_BYTES

# As `toolkit attest` names them; those of further signers are evidence-2.sigstore.json, model-2.sig, …
EVIDENCE, MODEL_SIGNATURE = "evidence.sigstore.json", "model.sig"
MODEL_SIGNATURE_TYPE = "https://model_signing/signature/v1.0"


def pack_evidence(folder: Path, name: str, artifact: Artifact) -> Artifact | None:
    """The referrer for one signature, EVIDENCE or MODEL_SIGNATURE, in a portable adapter's folder; None without it.

    Raises ConfigError for one about other files than those of `artifact`.
    """
    path = next(shareable_files(folder, name), None)
    if path is None:
        return None
    again = make_command("attest", output=folder.parents[1], RUN=folder.parent.name)
    try:
        predicate_type, signed = _signed_files(json.loads(path.read_text(encoding="utf-8")))
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
    annotations = {CONTENT: "dsse-envelope", PREDICATE_TYPE: predicate_type}
    return make_referrer(BUNDLE_TYPE, (Blob.of_file(path, BUNDLE_TYPE),), artifact.subject, annotations)


def _signed_files(bundle: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The type of what is stated, and the digest of each file that it is about, by its name."""
    statement = json.loads(b64decode(bundle["dsseEnvelope"]["payload"]))
    predicate_type = str(statement["predicateType"])
    if predicate_type == MODEL_SIGNATURE_TYPE:
        resources = statement["predicate"]["resources"]
        return predicate_type, {str(one["name"]): f"sha256:{one['digest']}" for one in resources}
    return predicate_type, {str(one["name"]): f"sha256:{one['digest']['sha256']}" for one in statement["subject"]}


def find_evidence(registry: Repository, subject: str) -> tuple[Blob, ...]:
    """The bundles attached to the manifest with the digest `subject`, named as files. Raises RegistryError."""
    found: dict[str, dict[tuple[str, int], None]] = {EVIDENCE: {}, MODEL_SIGNATURE: {}}
    for attached in find_attached(registry, subject, BUNDLE_TYPE):
        name = MODEL_SIGNATURE if attached.predicate_type == MODEL_SIGNATURE_TYPE else EVIDENCE
        for layer in attached.layers:
            if (blob := Attached.blob(layer, MAX_TEXT_BYTES)) is None:
                raise RegistryError(
                    f"{registry.address} has evidence attached that is not valid.",
                    next="Pull only from sources that you trust.",
                )
            found[name][blob] = None
    return tuple(
        Blob(
            media_type=BUNDLE_TYPE, digest=digest, size_bytes=size,
            name=name if at == 1 else name.replace(".", f"-{at}.", 1),
        )
        for name, blobs in found.items()
        for at, (digest, size) in enumerate(blobs, start=1)
    )  # fmt: skip
