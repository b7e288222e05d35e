"""The errors a user can cause or meet on the host, one exit code per class.

ImageError              1   base class, never raised itself
├── ConfigError         3   an invalid option, or a missing file, folder or run
├── WeightsError        4   the base model's files differ from its lock
├── EngineError         9   the container engine: not running, refusing, out of memory or disk space
├── RegistryError      10   the registry: unreachable, refusing, or holding a different digest than was sent
└── Interrupted       130   Ctrl-C, SIGTERM or SIGHUP
A command that did its work, but could not write its answer to stdout, exits with 8.
Click's own usage errors exit with 2; `run` exits with the code of the command it ran.
"""


class ImageError(Exception):
    """What failed, why, and what to do next: one or two lines, shown without a traceback."""

    exit_code = 1

    def __init__(self, what: str, *, next: str = "") -> None:  # noqa: A002  # the rule's own word: what, why, next
        super().__init__(f"{what} {next}".strip())
        self.what = what
        self.next = next


class ConfigError(ImageError):
    exit_code = 3


class WeightsError(ImageError):
    exit_code = 4


class EngineError(ImageError):
    exit_code = 9


class RegistryError(ImageError):
    exit_code = 10


class Interrupted(ImageError):  # noqa: N818  # not an error: the user asked for it
    exit_code = 130


def first_line(error: BaseException) -> str:
    """The first line of an error's text, without a final full stop; the class name if the error has no text.

    For an OSError this is the system's message, without error number and file name.
    """
    text = str(getattr(error, "strerror", None) or error).strip()
    return text.partition("\n")[0].rstrip(" .\r") or type(error).__name__


def root_cause(error: BaseException) -> BaseException:
    """The innermost cause or context: client libraries wrap the system's error in several of their own."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error
