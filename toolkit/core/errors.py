"""The errors that a user can cause or meet, one exit code per class.

ToolkitError            1   never raised itself
├── ConfigError         3   an option, a recipe, a folder, a missing run
├── ModelError          4   download, weights, tokenizer
├── DataError           5   a data set or a probe file
├── TrainingError       6   the training failed
├── ExportError         7   the export failed, or its parity gate did
├── RegistryError      10   a hub that a run is pushed to: unreachable, refusing, or with other content
└── Interrupted       130   Ctrl-C or SIGTERM
Click's own usage errors exit with 2, a verdict with 20 to 22 (see toolkit.compare.verdict).
"""

LONGEST = 4000  # characters of what failed


class ToolkitError(Exception):
    """What failed, why, and what to do next: one or two lines, shown without a traceback."""

    exit_code = 1

    def __init__(self, what: str, *, next: str = "") -> None:  # noqa: A002  # errors say what, why and what next
        # It may quote others' files, whose names and keys can have any length.
        self.what = what if len(what) <= LONGEST else f"{what[: LONGEST - 1]}…"
        super().__init__(f"{self.what} {next}".strip())
        self.next = next


def first_line(error: BaseException, limit: int = 200) -> str:
    """The first line of the error's text that is not blank, cut to `limit` characters, without the final full stop.

    Its class name if it has no text.
    """
    lines = (line.strip() for line in str(error).splitlines())
    line = next(filter(None, lines), type(error).__name__)
    return line[:limit].rstrip(" .")


class ConfigError(ToolkitError):
    exit_code = 3


class ModelError(ToolkitError):
    exit_code = 4


class DataError(ToolkitError):
    exit_code = 5


class TrainingError(ToolkitError):
    exit_code = 6


class ExportError(ToolkitError):
    exit_code = 7


class RegistryError(ToolkitError):
    exit_code = 10


class Interrupted(ToolkitError):  # noqa: N818  # not an error: the user asked for it
    exit_code = 130
