"""Writes a pair's page and pair.json: into the output folder, or the folder that the caller names."""

from pathlib import Path

from toolkit.compare.report.pair.html import render_pair
from toolkit.compare.report.pair.pair import Pair
from toolkit.compare.report.pair.record import pair_record
from toolkit.compare.texts import Texts
from toolkit.core.errors import ConfigError
from toolkit.core.file_set import write_file_set
from toolkit.core.files import json_text
from toolkit.core.links import require_no_link
from toolkit.runs.layout import PAIR_PAGE, PAIR_RECORD, PAIRS


def write_pair(pair: Pair, output: Path, folder: Path | None, texts: Texts) -> Path:
    """The folder written, `pairs/LEFT-and-RIGHT` in `output` where none is named. Raises ConfigError.

    Both files are replaced together (see `write_file_set`).
    """
    own = folder is None
    if folder is None:
        require_no_link(output / PAIRS)
        folder = output / PAIRS / f"{pair.left.run.run_id}-and-{pair.right.run.run_id}"
    try:
        write_file_set(folder if own else folder.resolve(), {
            PAIR_PAGE: render_pair(pair, texts),
            PAIR_RECORD: json_text(pair_record(pair)),
        }, own=own)  # fmt: skip
    except OSError as error:
        raise ConfigError(
            f"The page cannot be written to {folder}: {error.strerror}.", next="Name another place with --to."
        ) from None
    return folder
