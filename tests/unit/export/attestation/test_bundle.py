"""The envelope against DSSE's published example and other programs' reading of it; what is no bundle is refused."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from toolkit.export.attestation.bundle import (
    MEDIA_TYPE,
    PAYLOAD_TYPE,
    UnknownKeyError,
    WrongSignatureError,
    pre_authentication_encoding,
    read_bundle,
    signed_bundle,
)
from toolkit.export.attestation.signing import KeyPair, create_key_pair, read_public_key

# https://github.com/secure-systems-lab/dsse/blob/master/protocol.md, "Test vectors"
TYPE, BODY = "http://example.com/HelloWorld", b"hello world"
X = 46950820868899156662930047687818585632848591499744589407958293238635476079160
Y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
SIGNATURE = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="


@pytest.fixture(name="pair")
def _pair(tmp_path: Path) -> KeyPair:
    return create_key_pair(tmp_path / "release.key")


def test_what_is_signed_is_encoded_as_dsse_publishes_it():
    assert pre_authentication_encoding(TYPE, BODY) == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pre_authentication_encoding("t", "é".encode()) == b"DSSEv1 1 t 2 \xc3\xa9"  # lengths count bytes


def test_the_published_signature_is_valid_for_the_published_key(tmp_path: Path):
    key = ec.EllipticCurvePublicNumbers(X, Y, ec.SECP256R1()).public_key()
    (tmp_path / "dsse.pub").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    raw = base64.b64decode(SIGNATURE)  # r and s; a bundle has them in DER
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    public = read_public_key(tmp_path / "dsse.pub")

    assert public.verifies(signature, pre_authentication_encoding(TYPE, BODY))
    assert not public.verifies(signature, pre_authentication_encoding(TYPE, b"hello World"))


def test_a_bundle_has_the_form_that_cosign_writes(pair: KeyPair):
    """Bundle 0.3, as sigstore/cosign cmd/cosign/cli/verify/verify_bundle.go assembles one for a key pair."""
    bundle = json.loads(signed_bundle({"a": 1}, pair))

    assert bundle["mediaType"] == MEDIA_TYPE == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert bundle["verificationMaterial"] == {"publicKey": {"hint": pair.public.hint}, "tlogEntries": []}
    envelope = bundle["dsseEnvelope"]
    assert envelope["payloadType"] == PAYLOAD_TYPE == "application/vnd.in-toto+json"
    assert json.loads(base64.b64decode(envelope["payload"])) == {"a": 1}
    assert [set(one) for one in envelope["signatures"]] == [{"sig", "keyid"}]


def test_openssl_verifies_the_signature(pair: KeyPair, tmp_path: Path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    envelope = json.loads(signed_bundle({"a": 1}, pair))["dsseEnvelope"]
    (tmp_path / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    message = pre_authentication_encoding(PAYLOAD_TYPE, base64.b64decode(envelope["payload"]))
    (tmp_path / "message").write_bytes(message)
    command = ["openssl", "dgst", "-sha256", "-verify", "release.pub", "-signature", "signature", "message"]

    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "message").write_bytes(message + b" ")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1


def test_what_was_signed_is_read_with_the_key_that_signed(pair: KeyPair, tmp_path: Path):
    other = create_key_pair(tmp_path / "other.key")
    envelope = read_bundle(json.loads(signed_bundle({"a": "ü"}, pair)))

    assert envelope.verified([other.public, pair.public]) == ({"a": "ü"}, pair.public)
    with pytest.raises(UnknownKeyError, match="signed by another key"):
        envelope.verified([other.public])


def test_a_changed_payload_is_told_from_another_key(pair: KeyPair):
    bundle = json.loads(signed_bundle({"passed": False}, pair))
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(b'{"passed": true}').decode()

    with pytest.raises(WrongSignatureError, match=r"not the one of release\.pub for this content"):
        read_bundle(bundle).verified([pair.public])


@pytest.mark.parametrize(
    "change",
    [
        lambda bundle: None,
        lambda bundle: [bundle],
        lambda bundle: bundle | {"dsseEnvelope": None},
        lambda bundle: bundle | {"verificationMaterial": {}},
        lambda bundle: bundle | {"dsseEnvelope": bundle["dsseEnvelope"] | {"signatures": []}},
        lambda bundle: bundle | {"dsseEnvelope": bundle["dsseEnvelope"] | {"payload": "%"}},
        lambda bundle: bundle | {"dsseEnvelope": bundle["dsseEnvelope"] | {"payload": 1}},
        lambda bundle: bundle | {"dsseEnvelope": bundle["dsseEnvelope"] | {"payloadType": "text/plain"}},
        lambda bundle: bundle | {"mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1"},
    ],
)
def test_anything_else_is_no_bundle(pair: KeyPair, change):
    bundle = json.loads(signed_bundle({"a": 1}, pair))

    with pytest.raises(ValueError, match="it is "):
        read_bundle(change(bundle))
