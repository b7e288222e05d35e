"""The adapter's files signed in the form of OpenSSF Model Signing, version 1, which other programs read. Pure.

The statement: https://github.com/ossf/model-signing-spec. Its bundle names a key by the sha256 of its PEM text.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from toolkit.export.attestation.statement import STATEMENT_TYPE
from toolkit.runs.layout import EVIDENCE, EXPORT_MANIFEST, MODEL_SIGNATURE

PREDICATE_TYPE = "https://model_signing/signature/v1.0"
ALGORITHM = "sha256"
# What lies in an adapter's folder and is not of the adapter: signatures, the export's own notes, what a hub adds.
IGNORED = (EVIDENCE, EXPORT_MANIFEST, MODEL_SIGNATURE, ".cache", ".git", ".gitattributes", ".gitignore")


def model_statement(name: str, files: Mapping[str, str]) -> dict[str, Any]:
    """What is signed. `files`: the sha256 of each, by its name."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {ALGORITHM: _digest_of_all(files)}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files", "hash_type": ALGORITHM, "allow_symlinks": False, "ignore_paths": list(IGNORED),
            },
            "resources": [
                {"name": one, "algorithm": ALGORITHM, "digest": files[one]} for one in sorted(files)
            ],
        },
    }  # fmt: skip


def signed_files(value: Any) -> dict[str, str]:
    """The sha256 of each file that the statement names. Raises ValueError for any other JSON value."""
    try:
        kind, subjects, predicate = value["predicateType"], value["subject"], value["predicate"]
        resources: Sequence[Mapping[str, Any]] = predicate["resources"]
        method = (predicate["serialization"]["method"], {one["algorithm"] for one in resources})
        files = {str(one["name"]): str(one["digest"]) for one in resources}
        (root,) = (str(one["digest"][ALGORITHM]) for one in subjects)
        whole = len(files) == len(resources) and root == _digest_of_all(files)
    except (KeyError, TypeError, ValueError):
        raise ValueError("it is not a statement of Model Signing") from None
    if kind != PREDICATE_TYPE or method != ("files", {ALGORITHM}) or not whole:
        raise ValueError(f"it is not a statement of Model Signing about files by sha256 ({kind})")
    return files


def _digest_of_all(files: Mapping[str, str]) -> str:
    """Over the files' digests, in the order of their names. Raises ValueError unless all are digests."""
    return sha256(b"".join(bytes.fromhex(files[name]) for name in sorted(files))).hexdigest()
