"""A signed statement as a file: a DSSE envelope in a Sigstore bundle, which cosign reads too. Pure.

DSSE: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md. The bundle, version 0.3:
https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto. It is in no transparency log.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.core.documents import parse_json
from toolkit.core.files import json_text
from toolkit.export.attestation.signing import KeyPair, PublicKey

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


class UnknownKeyError(ValueError):
    """No key that was asked for is the one of the bundle."""


class WrongSignatureError(ValueError):
    """It names a key that was asked for, but the signature does not fit what it signs."""


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """`hint`: of the key, as the bundle has it; it proves nothing. Empty where an identity has signed."""

    payload: bytes
    signature: bytes
    hint: str

    def verified(self, keys: Sequence[PublicKey]) -> tuple[Any, PublicKey]:
        """The signed JSON value, and by which key. Raises UnknownKeyError, WrongSignatureError and ValueError."""
        message = pre_authentication_encoding(PAYLOAD_TYPE, self.payload)
        for key in keys:
            if key.verifies(self.signature, message):
                return parse_json(self.payload), key
        named = next((key for key in keys if self.hint in (key.hint, key.pem_hint)), None)
        if named is not None:
            raise WrongSignatureError(f"its signature is not the one of {named.name} for this content")
        raise UnknownKeyError("it is signed by another key")


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """What is signed, so that a signature for one type is none for another (DSSE's PAE)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def signed_bundle(statement: Mapping[str, Any], pair: KeyPair, hint: str | None = None) -> str:
    """The file's text. `hint`: how the key is named in it, if not as Sigstore does."""
    payload = json_text(dict(statement)).encode()
    signature = pair.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    hint = hint or pair.public.hint
    return json_text(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": b64encode(payload).decode(),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": b64encode(signature).decode(), "keyid": hint}],
            },
        }
    )


def read_bundle(content: Any) -> Envelope:
    """The envelope in the JSON value of a bundle. Raises ValueError for anything else."""
    try:
        kind, envelope = content["mediaType"], content["dsseEnvelope"]
        (signature,) = envelope["signatures"]
        material = content["verificationMaterial"]
        found = Envelope(
            payload=b64decode(envelope["payload"], validate=True),
            signature=b64decode(signature["sig"], validate=True),
            hint="" if "certificate" in material else str(material["publicKey"]["hint"]),
        )
        payload_type = envelope["payloadType"]
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise ValueError("it is not a Sigstore bundle with one signed envelope") from None
    if kind != MEDIA_TYPE or payload_type != PAYLOAD_TYPE:
        raise ValueError(f"it is a {kind} of {payload_type}, which is not read here")
    return found
