"""Signs a run's verdict: a statement about its portable adapter, in a bundle beside it that cosign reads too."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.errors import ConfigError
from toolkit.core.events import Listener, silent
from toolkit.core.files import write_text
from toolkit.core.links import require_no_links_in
from toolkit.export.attestation.bundle import signed_bundle
from toolkit.export.attestation.signing import (
    KeyPair,
    create_key_pair,
    default_key,
    public_path,
    read_key_pair,
)
from toolkit.export.attestation.statement import PUBLISHED, Statement, state
from toolkit.export.evidence import read_evidence, require_compared
from toolkit.export.portable_folder import Export, export_adapter, portable_folder
from toolkit.runs.layout import COMPARISON, EVIDENCE
from toolkit.runs.parts import require_parts
from toolkit.runs.run import find_run

SUBJECT = re.compile(r"(?P<name>[^\s@]{1,300})@sha256:(?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class AttestConfig:
    """`key` None: the user's own, in their configuration; `new_key`: it is made first.

    `subjects`: further ones, as NAME@sha256:DIGEST, such as the image that the adapter is in.
    """

    run: str | None = None
    key: Path | None = None
    new_key: bool = False
    subjects: Sequence[str] = ()
    model: str | None = None
    probes: Path | None = None
    output: Path = Path("output")


@dataclass(frozen=True, kw_only=True)
class Attested:
    """`public_key`: the file that verifiers need; `notes`: what the run does not record, so it could not be checked."""

    path: Path
    statement: Statement
    key: KeyPair
    public_key: Path
    notes: Sequence[str]


def attest(config: AttestConfig, *, listener: Listener = silent, make: Export = export_adapter) -> Attested:
    """Exports the portable adapter first, unless it is there and up to date. Raises ConfigError and ExportError.

    Every file of the run is compared with its recorded sha256 before anything is signed.
    """
    others = _subjects(config.subjects)
    run = find_run(config.run, config.output)
    parts = require_parts(run, probes=False)
    require_compared(read_evidence(run.folder / COMPARISON, parts.recorded_adapter.sha256), run.folder)
    private = config.key or default_key()
    pair = create_key_pair(private) if config.new_key else read_key_pair(private)
    folder = portable_folder(run, config.model, config.probes, listener, make)
    require_no_links_in(folder)
    statement = state(run.record, folder, others)
    path = folder / EVIDENCE
    try:
        write_text(path, signed_bundle(statement.to_dict(), pair))
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", next="Free its folder for writing.") from None
    return Attested(
        path=path, statement=statement, key=pair, public_key=public_path(private), notes=parts.notes
    )  # fmt: skip


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
