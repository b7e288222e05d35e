"""Signs a run's verdict: a statement about its portable adapter, in a bundle beside it that cosign reads too."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.documents import read_json
from toolkit.core.errors import ConfigError
from toolkit.core.events import Listener, silent
from toolkit.core.files import write_text
from toolkit.core.links import require_no_links_in
from toolkit.export.attestation.bundle import signed_bundle
from toolkit.export.attestation.keyless import Identity, Keyless, KeylessSigner
from toolkit.export.attestation.model_signature import model_statement
from toolkit.export.attestation.signing import (
    KeyPair,
    PublicKey,
    create_key_pair,
    default_key,
    public_path,
    read_key_pair,
)
from toolkit.export.attestation.statement import PUBLISHED, OtherStatement, Statement, state
from toolkit.export.evidence import read_evidence, require_compared
from toolkit.export.portable_folder import Export, export_adapter, portable_folder
from toolkit.runs.layout import COMPARISON, EVIDENCE, MODEL_SIGNATURE
from toolkit.runs.parts import require_parts
from toolkit.runs.run import find_run

BUNDLE_SUFFIX = ".sigstore.json"
SUBJECT = re.compile(r"(?P<name>[^\s@]{1,300})@sha256:(?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class AttestConfig:
    """`key` None: the user's own, in their configuration; `new_key`: it is made first. `keyless`: no key, an identity.

    `subjects`: further ones, as NAME@sha256:DIGEST, such as the image that the adapter is in.
    """

    run: str | None = None
    key: Path | None = None
    new_key: bool = False
    keyless: Keyless | None = None
    subjects: Sequence[str] = ()
    model: str | None = None
    probes: Path | None = None
    output: Path = Path("output")


@dataclass(frozen=True, kw_only=True)
class Attested:
    """`path`: of the signed verdict; `model_signature`: of the files' signature for other programs.

    `public_key`: the file that verifiers need, None if an identity has signed.
    `notes`: what the run does not record, so it could not be checked.
    """

    path: Path
    model_signature: Path
    statement: Statement
    signer: PublicKey | Identity
    public_key: Path | None
    notes: Sequence[str]


def attest(config: AttestConfig, *, listener: Listener = silent, make: Export = export_adapter) -> Attested:
    """Exports the portable adapter first, unless it is there and up to date. Raises ConfigError and ExportError.

    Every file of the run is compared with its recorded sha256 before anything is signed.
    """
    others = _subjects(config.subjects)
    run = find_run(config.run, config.output)
    parts = require_parts(run, probes=False)
    digest = parts.recorded_adapter.sha256
    require_compared(read_evidence(run.folder / COMPARISON, digest, run.record.base_model), run.folder)
    signer = _key(config.key, new_key=config.new_key) if config.keyless is None else KeylessSigner(config.keyless)
    folder = portable_folder(run, config.model, config.probes, listener, make)
    require_no_links_in(folder)
    statement = state(run.record, folder, others)
    path, model = folder / EVIDENCE, folder / MODEL_SIGNATURE
    about_files = model_statement(run.run_id, statement.files)
    if isinstance(signer, KeylessSigner):
        signed = signer.sign(statement.to_dict()), signer.sign(about_files)
    else:
        pem_hint = signer.pair.public.pem_hint
        signed = signed_bundle(statement.to_dict(), signer.pair), signed_bundle(about_files, signer.pair, pem_hint)
    for file, text in zip((path, model), signed, strict=True):
        _write(file, text)
    return Attested(
        path=path, model_signature=model, statement=statement, notes=parts.notes,
        signer=signer.identity if isinstance(signer, KeylessSigner) else signer.pair.public,
        public_key=None if isinstance(signer, KeylessSigner) else signer.public_file,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Key:
    pair: KeyPair
    public_file: Path


def _key(file: Path | None, *, new_key: bool) -> _Key:
    private = file or default_key()
    pair = create_key_pair(private) if new_key else read_key_pair(private)
    return _Key(pair=pair, public_file=public_path(private))


@dataclass(frozen=True, kw_only=True)
class SignedStatement:
    path: Path
    signer: PublicKey
    public_key: Path


def sign_statement(statement: Path, key: Path | None, *, new_key: bool) -> SignedStatement:
    """Signs another in-toto statement, such as one about an image, in a file beside it. Raises ConfigError."""
    try:
        stated = OtherStatement.from_dict(read_json(statement))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{statement} cannot be signed: {error}.", next="Give an in-toto statement.") from None
    signer = _key(key, new_key=new_key)
    path = statement.with_suffix(BUNDLE_SUFFIX)
    _write(path, signed_bundle(stated.value, signer.pair))
    return SignedStatement(path=path, signer=signer.pair.public, public_key=signer.public_file)


def _write(path: Path, text: str) -> None:
    try:
        write_text(path, text)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", next="Free its folder for writing.") from None


def _subjects(given: Sequence[str]) -> dict[str, str]:
    """The sha256 of each, by its name. Raises ConfigError."""
    found: dict[str, str] = {}
    for text in given:
        match = SUBJECT.fullmatch(text)
        if match is None or match["name"] in PUBLISHED:
            raise ConfigError(
                f'"{text}" names no subject.', next="Write NAME@sha256:DIGEST, such as ghcr.io/me/tuned@sha256:…."
            )
        found[match["name"]] = match["sha256"]
    return found
