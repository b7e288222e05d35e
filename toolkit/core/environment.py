"""The environment variables that the toolkit reads, and those that it sets for the libraries under it."""

import os

API_KEY = "TOOLKIT_API_KEY"
DATA = "TOOLKIT_DATA"
GPU_MEMORY_GIB = "TOOLKIT_GPU_MEMORY_GIB"
MODEL = "TOOLKIT_MODEL"
PROGRAM = "TOOLKIT_PROGRAM"
PUBLISHED = "TOOLKIT_PUBLISHED"
TERMINAL = "TOOLKIT_TERMINAL"


def api_key() -> str | None:
    """The key that clients of `serve` must send."""
    return os.environ.get(API_KEY)


def data_folder() -> str | None:
    """Where the shipped data is, if not beside the package."""
    return os.environ.get(DATA)


def gpu_memory_gib() -> str | None:
    """How much memory of a shared card may be used, in GiB; not yet parsed."""
    return os.environ.get(GPU_MEMORY_GIB)


def base_model() -> str | None:
    """The base model to use when no --model is given."""
    return os.environ.get(MODEL)


def program() -> str | None:
    """How the host calls the toolkit in this container, up to and with its name, and the host's output folder."""
    return os.environ.get(PROGRAM) or None


def published_address() -> str | None:
    """The host's address, as host:port, that leads to a container's port."""
    return os.environ.get(PUBLISHED)


def terminal_streams() -> list[str]:
    """The names of a container's streams (stdout, stderr) that a terminal outside shows."""
    return os.environ.get(TERMINAL, "").split(",")


def is_one_of_several_processes() -> bool:
    """Whether a launcher such as torchrun started this process."""
    return "LOCAL_RANK" in os.environ


def let_waiting_threads_sleep() -> None:
    """Before torch is loaded: its threads spin a moment for a small model's short steps, then sleep.

    Threads that spin on would slow a busy machine down many times over.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")


def quiet_modelscope() -> None:
    """Before modelscope is imported: no progress bar of its own, and three retries instead of five."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("MODELSCOPE_DOWNLOAD_MAX_RETRIES", "3")
