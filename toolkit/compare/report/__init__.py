"""Writes a report in every format, into its run or the folder that the caller names."""

from pathlib import Path

from toolkit.compare.report.html import render_html
from toolkit.compare.report.junit import render_junit
from toolkit.compare.report.markdown import render_markdown
from toolkit.compare.report.report import Report
from toolkit.compare.sides import Side
from toolkit.compare.texts import Texts
from toolkit.core.errors import ConfigError
from toolkit.core.file_set import write_file_set
from toolkit.core.files import json_text
from toolkit.runs.comparison import RecordedSide, with_digest
from toolkit.runs.layout import REPORT, REPORT_JUNIT, REPORT_PAGE, REPORT_TEXT
from toolkit.runs.own_comparison import comparison_folder
from toolkit.runs.questions import read_questions
from toolkit.runs.training_log import read_training_log


def write_report(report: Report, side: Side, folder: Path | None, texts: Texts | None = None) -> Path | None:
    """The folder written; None if the after side is not a run and no folder was named. Raises ConfigError.

    In the run, a report on other sides than its adapter and its base does not replace the run's own.

    The four files are replaced together (see `write_file_set`), report.json last where that takes several steps.
    """
    own = folder is None
    if folder is None:
        if side.run is None:
            return None
        before, after = (RecordedSide.from_dict(one) for one in (report.before, report.after))
        folder = comparison_folder(side.run, before, after)
    texts = texts or Texts()
    log = None if side.run is None else read_training_log(side.run)
    questions = [] if side.run is None else read_questions(side.run)
    try:
        write_file_set(folder if own else folder.resolve(), {
            REPORT_TEXT: render_markdown(report, texts, questions),
            REPORT_PAGE: render_html(report, log, texts, questions),
            REPORT_JUNIT: render_junit(report, texts),
            REPORT: json_text(with_digest(report.to_dict())),
        }, own=own)  # fmt: skip
    except OSError as error:
        raise ConfigError(
            f"The report cannot be written to {folder}: {error.strerror}.", next="Name another place with --report."
        ) from None
    return folder
