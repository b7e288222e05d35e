"""Signatures by an identity instead of a key, with Sigstore's client: a certificate for minutes, and an entry in a log.

The only module with sigstore, which `make setup-keyless` installs. https://docs.sigstore.dev/cosign/signing/overview
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core.documents import parse_json, read_text
from toolkit.core.errors import ConfigError, first_line
from toolkit.core.files import json_text

MISSING = "sigstore is not installed"
SETUP = 'Install it with "make setup-keyless".'
WITH_A_KEY = "Sign with a key instead: --key, --new-key."


@dataclass(frozen=True, kw_only=True)
class Identity:
    """`name`: a mail address or the address of a workflow; `hint`: the address of who vouches for it, the issuer."""

    name: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class Keyless:
    """`token`: a file with an OpenID Connect token; None: the one that the CI service gives.

    `trust`: the trust configuration of a Sigstore of one's own; None: the public one.
    """

    token: Path | None = None
    trust: Path | None = None


class KeylessSigner:
    """Signs statements as one identity. Raises ConfigError for everything that is missing or cannot be reached."""

    def __init__(self, keyless: Keyless) -> None:
        _require_sigstore()
        from sigstore.oidc import IdentityError, IdentityToken

        try:
            token = IdentityToken(_token(keyless.token))
        except IdentityError as error:
            reason = first_line(error)
            raise ConfigError(f"The identity token is not valid: {reason}.", next="Ask for a new one.") from None
        self._token, self._keyless = token, keyless
        self.identity = Identity(name=token.identity, hint=token.federated_issuer)

    def sign(self, statement: Mapping[str, Any]) -> str:
        """The text of the bundle."""
        from sigstore.dsse import Statement
        from sigstore.sign import SigningContext

        content = json_text(dict(statement)).encode()
        try:
            context = SigningContext.from_trust_config(_trust(self._keyless.trust, offline=False))
            with context.signer(self._token) as signer:
                return str(signer.sign_dsse(Statement(content)).to_json())
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001  # the client's own, those of requests, of TUF and of cryptography
            raise ConfigError(f"Sigstore did not sign: {first_line(error)}.", next=WITH_A_KEY) from None


def is_keyless(content: Any) -> bool:
    """Whether the JSON value of a bundle has a certificate in the place of a key."""
    try:
        return "certificate" in content["verificationMaterial"]
    except (KeyError, TypeError):
        return False


def keyless_verified(content: Any, identities: Sequence[Identity], trust: Path | None) -> tuple[Any, Identity]:
    """The signed JSON value, and by which of the identities. Raises ValueError, and ConfigError for `trust`.

    Nothing is fetched: the public Sigstore's root is the one that its client ships, or has in its cache.
    """
    if not identities:
        raise ValueError("it is signed by an identity, and the policy names none")
    try:
        _require_sigstore()
    except ConfigError as error:
        raise ValueError(f"{MISSING}; {error.next}") from None
    from sigstore.errors import VerificationError
    from sigstore.models import Bundle, InvalidBundle
    from sigstore.verify import Verifier
    from sigstore.verify import policy as policies

    verifier = Verifier(trusted_root=_trust(trust, offline=True).trusted_root)
    reason = ""
    for identity in identities:
        demanded = policies.Identity(identity=identity.name, issuer=identity.hint)
        try:
            _, payload = verifier.verify_dsse(Bundle.from_json(json.dumps(content)), demanded)
        except (VerificationError, InvalidBundle, ValueError) as error:
            reason = first_line(error)
        else:
            return parse_json(payload), identity
    raise ValueError(f"no identity of the policy has signed it ({reason})")


def _require_sigstore() -> None:
    try:
        import sigstore
    except ImportError:
        raise ConfigError(f"{MISSING}.", next=SETUP) from None
    logging.getLogger(sigstore.__name__).setLevel(logging.ERROR)


def _token(file: Path | None) -> str:
    from sigstore.oidc import IdentityError, detect_credential

    if file is not None:
        try:
            return read_text(file, max_bytes=100_000).strip()
        except (OSError, ValueError) as error:
            raise ConfigError(f"The identity token {file} cannot be read: {error}.", next=WITH_A_KEY) from None
    try:
        found = detect_credential()
    except IdentityError as error:
        raise ConfigError(f"No identity could be had: {first_line(error)}.", next=WITH_A_KEY) from None
    if found is None:
        raise ConfigError(
            "There is no identity to sign as: this is not a CI service that gives one.",
            next=f"Name a file with a token (--identity-token). {WITH_A_KEY}",
        )
    return str(found)


def _trust(file: Path | None, *, offline: bool) -> Any:
    from sigstore.models import ClientTrustConfig

    if file is None:
        return ClientTrustConfig.production(offline=offline)
    try:
        return ClientTrustConfig.from_json(read_text(file))
    except Exception as error:  # noqa: BLE001  # pydantic's, and the client's own
        raise ConfigError(f"The trust configuration {file} is not valid: {first_line(error)}.") from None
