"""Puts a report where it belongs: into the run that it speaks of, or where the caller says."""

from pathlib import Path

from toolkit.errors import ConfigError
from toolkit.report import Report
from toolkit.run_record import write_json, write_text
from toolkit.sides import Side


def write_report(report: Report, markdown: str, side: Side, folder: Path | None) -> Path | None:
    """The folder written, or None where the after side is no run and none was named; raises ConfigError."""
    if folder is None:
        if side.run is None:
            return None
        folder = side.run.folder / "compare"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "report.json", report.to_dict())
        write_text(folder / "report.md", markdown)
    except OSError as error:
        raise ConfigError(
            f"The report cannot be written to {folder}: {error.strerror}.", next="Name another place with --report."
        ) from None
    return folder
