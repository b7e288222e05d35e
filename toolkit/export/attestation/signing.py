"""Key pairs and signatures as cosign makes them: ECDSA over P-256 with SHA-256. The only module with cryptography."""

import os
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from toolkit.core import environment
from toolkit.core.documents import read_text
from toolkit.core.errors import ConfigError
from toolkit.core.files import write_bytes

PUBLIC_SUFFIX = ".pub"
MAX_KEY_BYTES = 100_000
ENCRYPTED_BY_COSIGN = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
WHAT_KIND = "An ECDSA P-256 key in PEM is needed, as --new-key and cosign generate-key-pair make them."


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """`name`: the file's; `hint`: the base64 of the sha256 of the key in DER, by which Sigstore names keys.

    `pem`: in one form, however the file was written.
    """

    name: str
    pem: bytes
    hint: str
    loaded: Any = field(repr=False, compare=False)

    @property
    def pem_hint(self) -> str:
        """The sha256 of the key in PEM, by which Model Signing names keys."""
        return sha256(self.pem).hexdigest()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            self.loaded.verify(signature, message, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    public: PublicKey
    private: Any = field(repr=False, compare=False)

    def sign(self, message: bytes) -> bytes:
        """The signature in DER; another one each time, as ECDSA has it."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        signature: bytes = self.private.sign(message, ECDSA(SHA256()))
        return signature


def default_key() -> Path:
    """Where the key is that `attest` uses when none is named: in the user's configuration, outside every project."""
    return environment.config_folder() / "finetune-and-prove" / "evidence.key"


def public_path(private: Path) -> Path:
    """`release.pub` of `release.key`."""
    return private.with_suffix(PUBLIC_SUFFIX)


def create_key_pair(private: Path) -> KeyPair:
    """Writes the private key (PKCS #8, for its owner only) and the public one beside it.

    TOOLKIT_KEY_PASSWORD encrypts the private key. Raises ConfigError where either file exists or cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    public = public_path(private)
    for path in (private, public):
        if os.path.lexists(path):
            raise ConfigError(f"{path} exists: no key is replaced.", next="Leave out --new-key, or name another --key.")
    key = ec.generate_private_key(ec.SECP256R1())
    password = environment.key_password()
    encryption = (
        serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password.encode())
    )
    content = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    pair = KeyPair(public=_public_key(public.name, key.public_key()), private=key)
    try:
        private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        write_bytes(public, pair.public.pem)
    except OSError as error:
        raise ConfigError(f"{private} cannot be written: {error.strerror}.", next="Name another --key.") from None
    return pair


def read_key_pair(private: Path) -> KeyPair:
    """Raises ConfigError, also without the password of an encrypted key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    text = _read(private, "Create one with --new-key, or name yours with --key.")
    if any(kind in text for kind in ENCRYPTED_BY_COSIGN):
        raise ConfigError(
            f"{private} is encrypted in cosign's own form, which only cosign reads.",
            next='Make a key with --new-key; "cosign import-key-pair" takes that one.',
        )
    password = environment.key_password()
    try:
        key = load_pem_private_key(text.encode(), None if password is None else password.encode())
    except TypeError:  # a password is missing, or one is given for a key without
        state = "is encrypted" if password is None else "is not encrypted, and TOOLKIT_KEY_PASSWORD is set"
        raise ConfigError(
            f"{private} {state}.", next="Set TOOLKIT_KEY_PASSWORD for an encrypted key, and only for one."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{private} is not a key, or TOOLKIT_KEY_PASSWORD is wrong.", next=WHAT_KIND) from None
    _require_p256(private, key)
    return KeyPair(public=_public_key(public_path(private).name, key.public_key()), private=key)


def read_public_key(path: Path) -> PublicKey:
    """Raises ConfigError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    text = _read(path, "The publisher has it: the .pub file beside the private key.")
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{path} is not a public key.", next=WHAT_KIND) from None
    _require_p256(path, key)
    return _public_key(path.name, key)


def _read(path: Path, advice: str) -> str:
    try:
        return read_text(path, max_bytes=MAX_KEY_BYTES)
    except FileNotFoundError:
        raise ConfigError(f"There is no key {path}.", next=advice) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"The key {path} cannot be read: {error}.", next=advice) from None


def _require_p256(path: Path, key: Any) -> None:
    curve = getattr(getattr(key, "curve", None), "name", type(key).__name__)
    if curve != "secp256r1":
        raise ConfigError(f"{path} is a key of another kind ({curve}).", next=WHAT_KIND)


def _public_key(name: str, key: Any) -> PublicKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(name=name, pem=pem, hint=b64encode(sha256(der).digest()).decode(), loaded=key)
