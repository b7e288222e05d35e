"""Writes a report in every format, into its run or the folder that the caller names."""

from pathlib import Path

from toolkit.compare.report.html import render_html
from toolkit.compare.report.junit import render_junit
from toolkit.compare.report.markdown import render_markdown
from toolkit.compare.report.report import Report
from toolkit.compare.sides import Side
from toolkit.compare.texts import Texts
from toolkit.core.errors import ConfigError
from toolkit.core.files import write_json, write_text
from toolkit.runs.layout import COMPARISON, REPORT, REPORT_JUNIT, REPORT_PAGE, REPORT_TEXT
from toolkit.runs.training_log import read_training_log


def write_report(report: Report, side: Side, folder: Path | None, texts: Texts | None = None) -> Path | None:
    """The folder written; None if the after side is not a run and no folder was named. Raises ConfigError."""
    if folder is None:
        if side.run is None:
            return None
        folder = side.run.folder / COMPARISON
    texts = texts or Texts()
    log = None if side.run is None else read_training_log(side.run)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / REPORT, report.to_dict())
        write_text(folder / REPORT_TEXT, render_markdown(report, texts))
        write_text(folder / REPORT_PAGE, render_html(report, log, texts))
        write_text(folder / REPORT_JUNIT, render_junit(report, texts))
    except OSError as error:
        raise ConfigError(
            f"The report cannot be written to {folder}: {error.strerror}.", next="Name another place with --report."
        ) from None
    return folder
