"""The project on this host: its root, names, locks, version and revision. Reads only."""

import os
import re
import subprocess
from pathlib import Path

from image.core.errors import ConfigError, first_line
from image.core.lock import Lock, read_lock

ROOT = Path(__file__).parents[2]
NAME = "finetune-and-prove"
DEFAULT_MODEL = "qwen2.5-7b-instruct"
NO_MODEL = "none"
SOURCE_DATE_EPOCH = 1726704000  # the locks' value, for builds without one; constant, so that commits change no layer
GIB = 1024**3
TRAINING_FACTOR = 1.6  # GPU memory over weights: training on 14.2 GiB of weights took 19 to 22 GiB (bench/)
SMALL_MODEL_BYTES = 2 * GIB  # up to this size, training on a CPU takes minutes


def local_reference(model: str) -> str:
    """The engine's name for the image with this base model."""
    return f"{NAME}:{model}"


def find_lock(model: str) -> Lock:
    """The lock of the base model called `model`. Raises ConfigError, with the known names for an unknown one."""
    path = ROOT / "data" / "locks" / f"{model}.json"
    if Path(model).name != model or model in {"", ".", ".."} or not path.is_file():
        known = ", ".join(sorted(each.stem for each in path.parent.glob("*.json")))
        raise ConfigError(f'Unknown base model "{model}".', next=f'Known models: {known}; "{NO_MODEL}" bakes in none.')
    try:
        return read_lock(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read the lock {path}: {first_line(error)}.") from error


def card_bytes(model_bytes: int) -> int:
    """How much memory a card needs to train a model with `model_bytes` of weights."""
    return int(model_bytes * TRAINING_FACTOR)


def model_folder(lock: Lock) -> Path:
    """The base model's folder on this host: the shipped one, else where `toolkit download` puts it."""
    shipped = ROOT / "data" / lock.folder
    return shipped if shipped.is_dir() else Path("models") / lock.folder


def version() -> str:
    """The toolkit's version, read from its source, since the host side never imports it. Raises ConfigError."""
    source = (ROOT / "toolkit" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "([^"]+)"', source)
    if found is None:
        raise ConfigError("toolkit/__init__.py has no __version__.")
    return found[1]


def revision() -> str:
    """The checked-out commit, with "-dirty" if files differ from it; "unknown" outside a git checkout."""
    return _git("describe", "--always", "--abbrev=40", "--dirty", "--exclude", "*") or "unknown"


def source() -> str:
    """The URL of the git remote "origin", without credentials; "unknown" if there is none."""
    return re.sub(r"//[^/@]*@", "//", _git("remote", "get-url", "origin")) or "unknown"


def _git(*arguments: str) -> str:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    except OSError:
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
