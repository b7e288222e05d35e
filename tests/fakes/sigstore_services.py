"""A Sigstore of its own on loopback: it issues certificates for whoever asks, and logs what it is given.

As Fulcio (https://github.com/sigstore/fulcio) and Rekor, version 1 (https://github.com/sigstore/rekor), answer the
client; with a certificate authority, a certificate transparency log and a transparency log whose keys are made here.
"""

import base64
import hashlib
import json
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

ISSUER = "https://issuer.example.org"
SINCE = "2020-01-01T00:00:00Z"
SHA256, ECDSA = 4, 3  # RFC 5246, section 7.4.1.4.1


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass(frozen=True)
class _Key:
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def der(self) -> bytes:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.DER, form)

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.der).digest()

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message, ec.ECDSA(hashes.SHA256()))

    def log(self, url: str) -> dict[str, Any]:
        """As a trusted root lists it."""
        key = {"rawBytes": _b64(self.der), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": {"start": SINCE}}
        return {"baseUrl": url, "hashAlgorithm": "SHA2_256", "publicKey": key, "logId": {"keyId": _b64(self.id)}}


@dataclass
class Sigstore:
    url: str = ""
    root: _Key = field(default_factory=_Key)
    certificates: _Key = field(default_factory=_Key)  # the log of those
    entries: _Key = field(default_factory=_Key)  # the log of signatures
    authority: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root of the tests")])
        now = datetime.now(UTC)
        public = self.root.private.public_key()
        self.authority = (
            x509.CertificateBuilder(name, name, public, 1, now - timedelta(days=1), now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self.root.private, hashes.SHA256())
        )

    def trust(self) -> str:
        """The client's trust configuration."""
        service = {"url": self.url, "majorApiVersion": 1, "validFor": {"start": SINCE}, "operator": "tests"}
        chain = {"certificates": [{"rawBytes": _b64(self.authority.public_bytes(serialization.Encoding.DER))}]}
        subject = {"organization": "tests", "commonName": "root of the tests"}
        authority = {"subject": subject, "uri": self.url, "certChain": chain, "validFor": {"start": SINCE}}
        root = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self.entries.log(self.url)], "ctlogs": [self.certificates.log(self.url)],
            "certificateAuthorities": [authority], "timestampAuthorities": [],
        }  # fmt: skip
        services = {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [service], "oidcUrls": [], "rekorTlogUrls": [service], "rekorTlogConfig": {"selector": "ANY"},
            "tsaUrls": [], "tsaConfig": {"selector": "ANY"},
        }  # fmt: skip
        kind = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
        return json.dumps({"mediaType": kind, "trustedRoot": root, "signingConfig": services})

    def issue(self, request: dict[str, Any]) -> dict[str, Any]:
        """A certificate for who the token says; nothing in it is checked."""
        signing = x509.load_pem_x509_csr(base64.b64decode(request["certificateSigningRequest"]))
        claims = request["token"].split(".")[1]
        subject = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"]
        now = datetime.now(UTC)
        names = x509.SubjectAlternativeName([x509.RFC822Name(subject)])
        issuer = ISSUER.encode()
        builder = (
            x509.CertificateBuilder(
                self.authority.subject, x509.Name([]), signing.public_key(), x509.random_serial_number(),
                now - timedelta(minutes=1), now + timedelta(minutes=10),
            )
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(signing.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.root.private.public_key()), critical=False
            )
            .add_extension(names, critical=True)
            .add_extension(_fulcio(1, issuer), critical=False)
            .add_extension(_fulcio(8, bytes([0x0C, len(issuer)]) + issuer), critical=False)
        )  # fmt: skip
        before = builder.sign(self.root.private, hashes.SHA256())
        logged = x509.UnrecognizedExtension(
            ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), self._timestamp(before.tbs_certificate_bytes)
        )
        certificate = builder.add_extension(logged, critical=False).sign(self.root.private, hashes.SHA256())
        chain = [each.public_bytes(serialization.Encoding.PEM).decode() for each in (certificate, self.authority)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def _timestamp(self, precertificate: bytes) -> bytes:
        """A list with one signed certificate timestamp, in DER (RFC 6962, sections 3.2 and 3.3)."""
        at = int(time.time() * 1000)
        signed = struct.pack("!BBQH", 0, 0, at, 1) + self.root.id + struct.pack("!I", len(precertificate))[1:]
        signature = self.certificates.sign(signed + precertificate + b"\0\0")
        one = struct.pack("!B32sQHBBH", 0, self.certificates.id, at, 0, SHA256, ECDSA, len(signature)) + signature
        listed = struct.pack("!HH", len(one) + 2, len(one)) + one
        return bytes([0x04, *((0x81,) if len(listed) > 127 else ()), len(listed)]) + listed

    def enter(self, proposed: dict[str, Any]) -> dict[str, Any]:
        """The entry in a log that has no other."""
        content = proposed["spec"]["proposedContent"]
        envelope = json.loads(content["envelope"])
        hashed = {"algorithm": "sha256", "value": hashlib.sha256(base64.b64decode(envelope["payload"])).hexdigest()}
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(content["envelope"].encode()).hexdigest()},
            "payloadHash": hashed,
            "signatures": [
                {"signature": envelope["signatures"][0]["sig"], "verifier": content["verifiers"][0]},
            ],
        }
        body = json.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}).encode()
        root, now, name = hashlib.sha256(b"\0" + body).digest(), int(time.time()), "log.example.org"
        note = f"{name} - 1\n1\n{_b64(root)}\n"
        checkpoint = f"{note}\n\u2014 {name} {_b64(self.entries.id[:4] + self.entries.sign(note.encode()))}\n"
        entry = {"body": _b64(body), "integratedTime": now, "logID": self.entries.id.hex(), "logIndex": 0}
        promise = self.entries.sign(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode())
        proof = {"checkpoint": checkpoint, "hashes": [], "logIndex": 0, "rootHash": root.hex(), "treeSize": 1}
        verification = {"inclusionProof": proof, "signedEntryTimestamp": _b64(promise)}
        return {"0" * 64: entry | {"verification": verification}}


def token(subject: str) -> str:
    """An OpenID Connect token, whose signature nobody here looks at."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": subject, "aud": "sigstore", "iat": now, "nbf": now, "exp": now + 600}
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    first, second = (
        base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts
    )  # fmt: skip
    return f"{first}.{second}.c2lnbmF0dXJl"


@contextmanager
def sigstore() -> Iterator[Sigstore]:
    found = Sigstore()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"sigstore": found}))
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    sigstore: Sigstore

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/v2/signingCert":
            request["token"] = self.headers["Authorization"].removeprefix("Bearer ")
            answer = self.sigstore.issue(request)
        else:
            answer = self.sigstore.enter(request)
        body = json.dumps(answer).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _fulcio(number: int, value: bytes) -> x509.UnrecognizedExtension:
    """https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md"""
    return x509.UnrecognizedExtension(ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{number}"), value)
