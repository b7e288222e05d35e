"""The surroundings that ms-swift and the hubs find when they are imported: quiet, offline, with writable caches."""

import atexit
import getpass
import logging
import os
import shutil
import tempfile
import warnings
from pathlib import Path


def prepare_environment(*, online: bool = False) -> None:
    """They read these once, so this comes before every import of theirs."""
    if not online:
        os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        getpass.getuser()
    except (KeyError, OSError):  # an unknown uid has neither a name nor a home
        os.environ.setdefault("USER", f"uid{os.getuid()}")
    home = Path.home() if os.environ.get("HOME") else Path("/")
    if not os.access(home, os.W_OK) or home == Path("/"):
        os.environ["HOME"] = tempfile.mkdtemp(prefix="toolkit-home-")
        atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)
    logging.getLogger("bitsandbytes").setLevel(
        logging.ERROR
    )  # peft imports it where it is, and it tells of its kernels
    for noise in (".*pin_memory.*", "Could not find a config file in"):  # the latter: an adapter names no folder
        warnings.filterwarnings("ignore", message=noise)
