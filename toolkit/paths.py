"""Where things lie: the shipped data, the base models, the runs. Pure: creates nothing."""

import os
from pathlib import Path

PACKAGE = Path(__file__).parent


def data_folder() -> Path:
    """The shipped `data/`: beside the package, or where TOOLKIT_DATA says."""
    return Path(os.environ.get("TOOLKIT_DATA") or PACKAGE.parent / "data")


def locks_folder() -> Path:
    return data_folder() / "locks"
