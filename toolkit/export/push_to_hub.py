"""Uploads a run's portable adapter, with its model card and report, to a repository on the hub."""

import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from toolkit.core.errors import ConfigError, RegistryError
from toolkit.core.events import Listener, silent
from toolkit.core.links import require_no_links_in
from toolkit.export.attestation.signatures import require_current_signatures
from toolkit.export.evidence import Evidence, read_evidence, require_passed
from toolkit.export.formats.adapter import REPORT_FILES
from toolkit.export.portable_folder import Export, export_adapter, portable_folder
from toolkit.model.hub import modelscope
from toolkit.model.hub import upload as hugging_face
from toolkit.model.hub.fetch import Source
from toolkit.model.hub.upload import Remote, Uploaded
from toolkit.runs.layout import ADAPTER_FILE, COMPARISON, EVIDENCE, EXPORT_MANIFEST, MODEL_SIGNATURE, adapter_sha256
from toolkit.runs.run import Run, find_run, require_own_files

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.\-]{0,95}/[A-Za-z0-9][\w.\-]{0,95}", re.ASCII)
# A repository with the first was filled by this command; the hub itself adds the second.
MAY_BE_OUTDATED = frozenset({*REPORT_FILES, EVIDENCE, MODEL_SIGNATURE})
OWN_FILES, HUB_FILES = frozenset({EXPORT_MANIFEST, ADAPTER_FILE}), frozenset({".gitattributes"})


@dataclass(frozen=True, kw_only=True)
class PushConfig:
    """`repository`: OWNER/NAME. A new one is private unless `public`; an existing one keeps its visibility."""

    repository: str
    run: str | None = None
    public: bool = False
    even_if_failed: bool = False
    endpoint: str | None = None
    to: Source = "hf"
    model: str | None = None
    probes: Path | None = None
    output: Path = Path("output")


@dataclass(frozen=True, kw_only=True)
class PushResult:
    """`private`: the repository's visibility on the hub; `verdict`: as the model card has it."""

    folder: Path
    uploaded: Uploaded
    private: bool
    verdict: str


def push_to_hub(config: PushConfig, *, listener: Listener = silent, make: Export = export_adapter) -> PushResult:
    """Raises ConfigError, ExportError and RegistryError. Looks the repository up before anything is exported."""
    if not REPOSITORY.fullmatch(config.repository):
        raise ConfigError(f'"{config.repository}" is not a repository name.', next="Write OWNER/NAME.")
    run = find_run(config.run, config.output)
    require_own_files(run)
    digest = adapter_sha256(run.adapter)
    evidence = read_evidence(run.folder / COMPARISON, digest, run.record.base_model)
    require_passed(evidence, run.folder, even_if_failed=config.even_if_failed)
    hub = _hub(config.to)
    require_login(config.to)
    remote = hub.find_remote(config.repository, config.endpoint)
    if remote is not None:
        _require_own_repository(remote, config)
    folder = portable_folder(run, config.model, config.probes, listener, make)
    require_no_links_in(folder)
    require_current_signatures(folder, run)
    files = {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")}
    uploaded = hub.upload(
        files, config.repository, remote=remote, private=not config.public, endpoint=config.endpoint,
        message=_message(run, evidence),
        outdated=frozenset() if remote is None else (remote.files & MAY_BE_OUTDATED) - files.keys(),
    )  # fmt: skip
    private = not config.public if remote is None else remote.private
    return PushResult(folder=folder, uploaded=uploaded, private=private, verdict=evidence.verdict)


def require_login(to: Source) -> None:
    """Raises RegistryError where nobody is logged in at that hub. Contacts nobody."""
    _hub(to).require_token()


def _hub(to: Source) -> ModuleType:
    return modelscope if to == "modelscope" else hugging_face


def _message(run: Run, evidence: Evidence) -> str:
    return f"Adapter of run {run.run_id}; verdict: {evidence.verdict}"


def _require_own_repository(remote: Remote, config: PushConfig) -> None:
    """Raises RegistryError for a repository with other content, and for a public one without `public`."""
    others = sorted(remote.files - HUB_FILES)
    if others and not remote.files >= OWN_FILES:
        raise RegistryError(
            f"{config.repository} already contains something else ({', '.join(others[:3])}).",
            next="Name another OWNER/NAME; only a repository that this command filled is updated.",
        )
    if not remote.private and not config.public:
        raise RegistryError(
            f"{config.repository} is public on the hub.",
            next="Give --public if you mean that, or make it private in its settings on the hub.",
        )
