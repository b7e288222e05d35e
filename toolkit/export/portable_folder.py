"""A run's portable folder, as `export --to adapter` writes it: made now, unless it is there and up to date."""

from collections.abc import Callable
from pathlib import Path

from toolkit.core.documents import read_json
from toolkit.core.events import Listener
from toolkit.core.links import require_no_links_in
from toolkit.export.evidence import Evidence, read_evidence
from toolkit.export.export import ExportResult, export
from toolkit.export.formats.adapter import PortableAdapter
from toolkit.export.formats.base import ExportConfig
from toolkit.runs.layout import ADAPTER_CONFIG, COMPARISON, EXPORT_MANIFEST, adapter_sha256
from toolkit.runs.run import Run

Export = Callable[[ExportConfig, Listener], ExportResult]


def export_adapter(config: ExportConfig, listener: Listener) -> ExportResult:
    """The real export; tests pass a fake."""
    return export(config, listener=listener)


def portable_folder(run: Run, model: str | None, probes: Path | None, listener: Listener, make: Export) -> Path:
    """`model`, `probes`: of the export, if there has to be one. Raises ConfigError for a link, and ExportError."""
    folder = run.folder / PortableAdapter.folder
    require_no_links_in(folder)
    if not _is_current(folder, run):
        wanted = ExportConfig(
            run=str(run.folder), to=PortableAdapter.name, model=model, probes=probes, output=run.folder.parent
        )  # fmt: skip
        folder = make(wanted, listener).folder
    return folder


def _is_current(folder: Path, run: Run) -> bool:
    """Whether it has this adapter and its last report. Loads no model: the host can push what a container exported."""
    digest = adapter_sha256(run.adapter)
    try:
        manifest = read_json(folder / EXPORT_MANIFEST)
        complete = adapter_sha256(folder) == manifest["adapter_sha256"] and (folder / ADAPTER_CONFIG).is_file()
        same = complete and manifest["adapter_sha256"] == digest and manifest["parity"]["holds"] is True
    except (OSError, ValueError, KeyError, TypeError):
        return False
    base = run.record.base_model
    exported, current = (read_evidence(one, digest, base) for one in (folder, run.folder / COMPARISON))
    return same and _figures(exported) == _figures(current)


def _figures(evidence: Evidence) -> tuple[object, ...]:
    report = evidence.report
    return (evidence.verdict,) if report is None else (evidence.verdict, report.figures, report.timings_s)
