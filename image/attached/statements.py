"""in-toto statements about an image as referrers to it: plain, or in a Sigstore bundle that `toolkit attest` signed.

No signature is made or checked here: the toolkit's command line does both.
"""

import json
import tempfile
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.attached.manifest import Artifact, Blob, Subject, make_referrer
from image.attached.referrers import CONTENT, PREDICATE_TYPE, Attached, find_attached
from image.core.errors import ConfigError
from image.core.toolkit_command import run_toolkit
from image.registry import Repository

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PLAIN_TYPE = "application/vnd.in-toto+json"
MAX_STATEMENT_BYTES = 64 * 1024**2
NOT_VERIFIED = 25  # the exit code of `toolkit verify-evidence`


@dataclass(frozen=True, kw_only=True)
class AttachedStatement:
    """`path`: the file as it was attached; `value`: what is stated, believed by nobody yet."""

    path: Path
    value: Mapping[str, Any]
    signed: bool

    @property
    def kind(self) -> str:
        return str(self.value.get("predicateType"))


def make_statement(name: str, digest: str, kind: str, predicate: Mapping[str, Any]) -> dict[str, Any]:
    """`digest`: of the image that it is about."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicateType": kind,
        "predicate": predicate,
    }


@contextmanager
def packed(
    statement: Mapping[str, Any], subject: Subject, key: Path | None, *, new_key: bool = False
) -> Iterator[Artifact]:  # fmt: skip
    """The referrer for a statement, signed if there is a `key`. Raises ConfigError if it cannot be signed."""
    annotations = {PREDICATE_TYPE: str(statement["predicateType"])}
    with tempfile.TemporaryDirectory(prefix="statement-") as folder:
        path = Path(folder) / "statement.json"
        path.write_text(json.dumps(statement, ensure_ascii=False, indent=2), encoding="utf-8")
        if key is None:
            yield make_referrer(PLAIN_TYPE, (Blob.of_file(path, PLAIN_TYPE),), subject, annotations)
            return
        made = ["--new-key"] if new_key else []
        signed = run_toolkit("attest", "--statement", str(path), "--key", str(key), *made)
        if signed.code != 0:
            raise ConfigError(f"The statement about the image was not signed with {key} (see above).")
        blob = Blob.of_file(Path(signed.text.strip()), BUNDLE_TYPE)
        yield make_referrer(BUNDLE_TYPE, (blob,), subject, {CONTENT: "dsse-envelope"} | annotations)


@contextmanager
def fetched(registry: Repository, subject: str) -> Iterator[list[AttachedStatement]]:
    """The statements attached to the manifest with the digest `subject`; what is none is passed over."""
    with tempfile.TemporaryDirectory(prefix="attached-") as folder:
        layers = [
            layer
            for attached in find_attached(registry, subject, BUNDLE_TYPE, PLAIN_TYPE)
            for layer in attached.layers
        ]  # fmt: skip
        found = []
        for at, layer in enumerate(layers):
            blob = Attached.blob(layer, MAX_STATEMENT_BYTES)
            if blob is not None:
                path = Path(folder) / f"{at}.sigstore.json"
                registry.fetch_blob(*blob, path)
                found += [one] if (one := _read(path)) is not None else []
        yield found


def _read(path: Path) -> AttachedStatement | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        signed = "dsseEnvelope" in value
        value = json.loads(b64decode(value["dsseEnvelope"]["payload"])) if signed else value
        return AttachedStatement(path=path, value=value, signed=signed) if isinstance(value, dict) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def signature_fault(path: Path, policy: Path, subject: str) -> str | None:
    """Why the signature is not one that the policy accepts for the image with the digest `subject`; None if it is.

    Raises ConfigError for a policy that is not valid.
    """
    answer = run_toolkit(
        "verify-evidence", str(path), "--policy", str(policy), "--subject", subject, "--json"
    )  # fmt: skip
    if answer.code not in {0, NOT_VERIFIED}:
        raise ConfigError(f"{policy} cannot be used (see above).")
    if answer.code == 0:
        return None
    failed = [str(check["text"]) for check in json.loads(answer.text)["checks"] if not check["holds"]]
    return "; ".join(failed).replace(path.name, "it")
