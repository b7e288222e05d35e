"""Where the project lies on the host and what it is called. Reads, writes nothing."""

import os
import re
import subprocess
from pathlib import Path

from image.core.errors import ConfigError
from image.core.lock import Lock, read_lock

ROOT = Path(__file__).parents[2]
NAME = "finetune-and-prove"
DEFAULT_MODEL = "qwen2.5-7b-instruct"
NO_MODEL = "none"
SOURCE_DATE_EPOCH = 1726704000  # as in the locks, where none is at hand: a constant, so that layers move with no commit
GIB = 1024**3
CARD_FOR_WEIGHTS = 1.6  # weights, their activations and what a training adds: 14.2 GiB took 19 to 22 (bench/)
SMALL_MODEL_BYTES = 2 * GIB  # up to that a CPU trains it while one waits


def local_reference(model: str) -> str:
    """The name under which an image with this base model lies in the engine."""
    return f"{NAME}:{model}"


def find_lock(model: str) -> Lock:
    """The lock of the base model called `model`. Raises ConfigError with the known names."""
    path = ROOT / "data" / "locks" / f"{model}.json"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in path.parent.glob("*.json")))
        raise ConfigError(f'No base model is called "{model}".', next=f"Known are: {known}; {NO_MODEL} bakes none.")
    try:
        return read_lock(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"The lock {path} cannot be read: {error}.") from error


def card_bytes(model_bytes: int) -> int:
    """The memory of a card that trains a model with so many bytes of weights."""
    return int(model_bytes * CARD_FOR_WEIGHTS)


def model_folder(lock: Lock) -> Path:
    """Where the base model's files lie on this host: shipped, else where `toolkit download` puts them."""
    shipped = ROOT / "data" / lock.folder
    return shipped if shipped.is_dir() else Path("models") / lock.folder


def version() -> str:
    """The toolkit's version, read from its source: the host never imports it."""
    source = (ROOT / "toolkit" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "([^"]+)"', source)
    if found is None:
        raise ConfigError("toolkit/__init__.py names no __version__.")
    return found[1]


def revision() -> str:
    """The commit that is checked out, `-dirty` where files differ from it; "unknown" outside a checkout."""
    return _git("describe", "--always", "--abbrev=40", "--dirty", "--exclude", "*") or "unknown"


def source() -> str:
    """Where the project's source is to be had, without anybody's credentials; "unknown" where git names no origin."""
    return re.sub(r"//[^/@]*@", "//", _git("remote", "get-url", "origin")) or "unknown"


def _git(*arguments: str) -> str:
    quiet = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet)
    except OSError:
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""
