"""The errors a user can cause or meet on the host, one exit code a class.

ImageError              1   never raised itself
├── ConfigError         3   an option, a folder, an image that is not there
├── WeightsError        4   the base model's files are not as its lock says
├── EngineError         9   the container engine: absent, refusing, out of memory or disk
├── RegistryError      10   the registry: absent, refusing, another digest than the one sent
└── Interrupted       130   Ctrl-C or SIGTERM
Click's own usage errors exit with 2; `run` hands on the exit code of what ran inside.
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


class Interrupted(ImageError):  # noqa: N818  # no error: the user's wish
    exit_code = 130
