"""The use case `push-to-hub`: a run's portable adapter, with its card and report, put into a hub's repository."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.errors import ConfigError, RegistryError
from toolkit.core.events import Listener, silent
from toolkit.export.evidence import Evidence, read_evidence, require_passed
from toolkit.export.export import Exported, export
from toolkit.export.formats.adapter import CONFIG, REPORT_FILES, Adapter
from toolkit.export.formats.base import ExportConfig
from toolkit.model.hub.upload import Remote, Uploaded, find_remote, require_token, upload
from toolkit.runs.layout import ADAPTER_FILE, COMPARISON, EXPORT_MANIFEST, adapter_sha256
from toolkit.runs.run import Run, find_run

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.\-]{0,95}/[A-Za-z0-9][\w.\-]{0,95}", re.ASCII)
# By these a repository is known as one that this command filled; the hub itself adds the other.
OURS, THE_HUBS = frozenset({EXPORT_MANIFEST, ADAPTER_FILE}), frozenset({".gitattributes"})
Export = Callable[[ExportConfig, Listener], Exported]


@dataclass(frozen=True, kw_only=True)
class PushConfig:
    """`repository`: OWNER/NAME. One that is made is private unless `public`; one that is there stays as it is."""

    repository: str
    run: str | None = None
    public: bool = False
    even_if_failed: bool = False
    endpoint: str | None = None
    model: str | None = None
    probes: Path | None = None
    output: Path = Path("output")


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """`private` as the hub has it; `verdict` as the card says it."""

    folder: Path
    uploaded: Uploaded
    private: bool
    verdict: str


def export_adapter(config: ExportConfig, listener: Listener) -> Exported:
    """The real export; tests hand in their own."""
    return export(config, listener=listener)


def push_to_hub(config: PushConfig, *, listener: Listener = silent, make: Export = export_adapter) -> Pushed:
    """Raises ConfigError (3), ExportError (7) and RegistryError (10). The hub is asked before anything is exported."""
    if not REPOSITORY.fullmatch(config.repository):
        raise ConfigError(f'"{config.repository}" is no name on a hub.', next="Write OWNER/NAME.")
    run = find_run(config.run, config.output)
    digest = adapter_sha256(run.adapter)
    evidence = read_evidence(run.folder / COMPARISON, digest)
    require_passed(evidence, run.run_id, even_if_failed=config.even_if_failed)
    require_token()
    remote = find_remote(config.repository, config.endpoint)
    if remote is not None:
        _require_ours(remote, config)
    folder = _portable(run, digest, config, listener, make)
    files = {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")}
    uploaded = upload(
        files, config.repository, remote=remote, private=not config.public, endpoint=config.endpoint,
        message=_message(run, evidence),
        outdated=frozenset() if remote is None else (remote.files & REPORT_FILES) - files.keys(),
    )  # fmt: skip
    private = not config.public if remote is None else remote.private
    return Pushed(folder=folder, uploaded=uploaded, private=private, verdict=evidence.verdict)


def _message(run: Run, evidence: Evidence) -> str:
    return f"Adapter of run {run.run_id}; verdict: {evidence.verdict}"


def _require_ours(remote: Remote, config: PushConfig) -> None:
    """Nobody's work is written over, and nothing becomes public by the way. Raises RegistryError."""
    others = sorted(remote.files - THE_HUBS)
    if others and not remote.files >= OURS:
        raise RegistryError(
            f"{config.repository} is there and holds something else ({', '.join(others[:3])}).",
            next="Name another OWNER/NAME; one that this command filled before is brought up to date.",
        )
    if not remote.private and not config.public:
        raise RegistryError(
            f"{config.repository} is public on the hub.",
            next="Give --public if that is meant, or make it private in its settings there.",
        )


def _portable(run: Run, digest: str | None, config: PushConfig, listener: Listener, make: Export) -> Path:
    """The folder that `export --to adapter` left, where it is this adapter's and up to date; else it is written now."""
    folder = run.folder / Adapter.folder
    if not _is_current(folder, run, digest):
        wanted = ExportConfig(
            run=str(run.folder), to=Adapter.name, model=config.model, probes=config.probes, output=config.output
        )  # fmt: skip
        folder = make(wanted, listener).folder
    return folder


def _is_current(folder: Path, run: Run, digest: str | None) -> bool:
    """Without loading anything: a host that cannot run the model can push what a container exported."""
    try:
        manifest = json.loads((folder / EXPORT_MANIFEST).read_text(encoding="utf-8"))
        whole = adapter_sha256(folder) == manifest["adapter_sha256"] and (folder / CONFIG).is_file()
        same = whole and manifest["adapter_sha256"] == digest and manifest["parity"]["holds"] is True
    except (OSError, ValueError, KeyError, TypeError):
        return False
    there, here = read_evidence(folder, digest), read_evidence(run.folder / COMPARISON, digest)
    return same and _measured(there) == _measured(here)


def _measured(evidence: Evidence) -> tuple[object, ...]:
    report = evidence.report
    return (evidence.verdict,) if report is None else (evidence.verdict, report.metrics, report.timings_s)
