"""The errors that a user can cause or meet, one exit code per class.

ToolkitError            1   never raised itself
├── ConfigError         3   an option, a recipe, a folder, a missing run
├── ModelError          4   download, weights, tokenizer
│   └── AbsentModelError 4  a known one that is not on this disk
├── DataError           5   a data set or a probe file
├── TrainingError       6   the training failed
├── ExportError         7   the export failed, or its parity gate did
├── RegistryError      10   a hub that a run is pushed to: unreachable, refusing, or with other content
└── Interrupted       130   Ctrl-C, SIGTERM or SIGHUP
A command that did its work, but could not write its answer to stdout, exits with 8.
Click's own usage errors exit with 2, a verdict with 20 to 23 (see toolkit.compare.verdict), a replay that differs with
24 (see toolkit.sweep.replay), evidence that does not hold with 25 (see toolkit.export.verify_evidence).
"""

import errno
import os

# What the libraries below read. Others, such as a shell's own, could match an error's text by chance.
LIBRARY_VARIABLES = (
    "ACCELERATE_", "BNB_", "CUDA_", "DATASETS_", "DISABLE_", "GOMP_", "HF_", "HOME", "HUGGINGFACE_", "KMP_",
    "LOG_LEVEL", "MAX_", "MKL_", "MODELSCOPE_", "NCCL_", "NUMEXPR_", "OMP_", "OPENBLAS_", "PEFT_", "PYTORCH_",
    "SAFETENSORS_", "SWIFT_", "TMPDIR", "TOKENIZERS_", "TORCH", "TRANSFORMERS_", "TRITON_", "USE_", "XDG_",
)  # fmt: skip
LONGEST = 4000  # characters of what failed
TOO_LARGE = os.strerror(errno.EFBIG)
RAISE_LIMIT = "Raise the limit on a file's size: ulimit -f unlimited."


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


class AbsentModelError(ModelError):
    """What can do without a model goes on."""


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


def is_interruption(error: BaseException) -> bool:
    """Whether the error came of a KeyboardInterrupt that another exception hides."""
    inner: BaseException | None = error
    for _ in range(100):  # a chain can be circular
        if inner is None or isinstance(inner, KeyboardInterrupt):
            return inner is not None
        inner = inner.__cause__ or inner.__context__
    return False


def is_full(error: BaseException) -> bool:
    """Whether the error says that a disk is full; libraries only quote the system's words."""
    return getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT} or "No space left" in str(error)


def is_over_limit(error: BaseException | None) -> bool:
    """Whether the error came of the limit on a file's size (ulimit -f); libraries only quote the system's words."""
    for _ in range(100):  # a chain can be circular
        if error is None or getattr(error, "errno", None) == errno.EFBIG or TOO_LARGE in str(error):
            return error is not None
        error = error.__cause__ or error.__context__
    return False


def unwritten(error: Exception) -> ConfigError | None:
    """For an error of a full disk or of a file over the limit that nothing closer to it knows; None for others."""
    if not (is_over := is_over_limit(error)) and not is_full(error):
        return None
    return ConfigError(
        f"A file could not be written: {first_line(error)}.", next=RAISE_LIMIT if is_over else "Free some space."
    )


def named_variable(error: Exception) -> ConfigError | None:
    """For a library's error that quotes an environment variable's value or its name: that error of the environment.

    Such as HF_HUB_DOWNLOAD_TIMEOUT=x, which huggingface_hub gives to int() while it is imported. None for others.
    """
    text = str(error)
    if not isinstance(error, (ValueError, KeyError, AttributeError, RuntimeError, OSError, AssertionError)):
        return None
    for name, value in sorted(os.environ.items()):
        quoted = (len(value) > 1 and repr(value) in text) or (len(value) > 5 and value in text)  # noqa: PLR2004
        if name.startswith(LIBRARY_VARIABLES) and (quoted or ("_" in name and name in text.split())):
            return ConfigError(
                f"The environment variable {name} has a value that a library does not accept: {first_line(error)}.",
                next=f"Correct it, or leave it out: env -u {name} toolkit …",
            )
    return None
