"""The signatures beside a portable adapter: which of them one of a policy's keys has made, and what they are about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from toolkit.core.documents import parse_json, read_regular_json
from toolkit.core.errors import ConfigError
from toolkit.core.suggestion import suggestion
from toolkit.core.text import one_line
from toolkit.export.attestation.bundle import UnknownKeyError, WrongSignatureError, read_bundle
from toolkit.export.attestation.keyless import Identity, is_keyless, keyless_verified
from toolkit.export.attestation.model_signature import signed_files
from toolkit.export.attestation.policy import Policy
from toolkit.export.attestation.signing import PublicKey
from toolkit.export.attestation.statement import Statement, published_files
from toolkit.runs.layout import EVIDENCE, EVIDENCE_FILES, MODEL_SIGNATURE, MODEL_SIGNATURES, output_option
from toolkit.runs.run import Run

MOST_FILES = 20  # of one kind
CHANGED = "has changed since it was signed"
Signed = TypeVar("Signed")


@dataclass(frozen=True, kw_only=True)
class Opened(Generic[Signed]):
    """One file. `value`: what is signed, and `key`: by whom; None where the signature is not valid.

    `text`: who signed, or what is wrong, in English.
    """

    path: Path
    text: str
    value: Signed | None = None
    key: PublicKey | Identity | None = None


def evidence_files(folder: Path) -> list[Path]:
    """One, or more where several have signed."""
    return sorted(folder.glob(EVIDENCE_FILES))


def model_signatures(folder: Path) -> list[Path]:
    return sorted(folder.glob(MODEL_SIGNATURES))


def first_opened(paths: Sequence[Path], policy: Policy, read: Callable[[Any], Signed]) -> Opened[Signed] | None:
    """The first file that somebody in the policy has signed; else one with what is wrong; None without a file.

    `read`: makes a value of the signed JSON, and raises ValueError for another one.
    """
    found = [_opened(path, policy, read) for path in paths[:MOST_FILES]]
    wrong = next((one for one in found if CHANGED in one.text), None)  # rather than what others signed
    return next((one for one in found if one.key is not None), wrong or next(iter(found), None))


def _opened(path: Path, policy: Policy, read: Callable[[Any], Signed]) -> Opened[Signed]:
    names = ", ".join([*(one.name for one in policy.keys), *(one.name for one in policy.identities)])
    key: PublicKey | Identity
    try:
        bundle = read_regular_json(path)
        envelope = read_bundle(bundle)
        if is_keyless(bundle):
            content, key = keyless_verified(bundle, policy.identities, policy.trust)
        else:
            content, key = envelope.verified(policy.keys)
        value = read(content)
    except WrongSignatureError as error:
        text = f"{path.name} {CHANGED}: {error}"
    except UnknownKeyError:
        text = f"{path.name} is not signed by a key of the policy ({names}), but by {envelope.hint}"
    except (OSError, ValueError) as error:
        text = f"{path.name} cannot be used: {error}"
    else:
        return Opened(path=path, text=f"valid, by {key.name} ({key.hint})", value=value, key=key)
    return Opened(path=path, text=one_line(text))


def require_current_signatures(folder: Path, run: Run) -> None:
    """Raises ConfigError for a signature beside a portable adapter that is about other files than those in the folder.

    Who signed is not looked at: that is what a verifier does.
    """
    found = published_files(folder)
    kinds: Mapping[str, Callable[[Any], Mapping[str, str]]] = {
        EVIDENCE: lambda value: Statement.from_dict(value).files, MODEL_SIGNATURE: signed_files,
    }  # fmt: skip
    for name, read in kinds.items():
        path = folder / name
        try:
            signed = read(parse_json(read_bundle(read_regular_json(path)).payload))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be used: {error}.", next="Remove it, or attest again.") from None
        changed = sorted(one for one in {*found, *signed} if found.get(one) != signed.get(one))
        if changed:
            again = suggestion("attest", run.folder.name, *output_option(run.folder.parent))
            raise ConfigError(
                f"{path} is not about the files beside it: {changed[0]} has changed since it was signed.",
                next=f'Sign again with "{again}", or remove it.',
            )
