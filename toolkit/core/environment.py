"""The environment variables that the toolkit reads, and those that it sets for the libraries under it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

API_KEY = "TOOLKIT_API_KEY"
DATA = "TOOLKIT_DATA"
GPU_MEMORY_GIB = "TOOLKIT_GPU_MEMORY_GIB"
HOME = "TOOLKIT_HOME"
IMAGE = "TOOLKIT_IMAGE"
LANGUAGE = "TOOLKIT_LANG"
KEY_PASSWORD = "TOOLKIT_KEY_PASSWORD"  # noqa: S105  # the variable's name
MODEL = "TOOLKIT_MODEL"
PRECISION = "TOOLKIT_PRECISION"
PROGRAM = "TOOLKIT_PROGRAM"
PROGRESS = "TOOLKIT_PROGRESS"
PUBLISHED = "TOOLKIT_PUBLISHED"
SHARE_ON_CARDS = "TOOLKIT_SHARE_ON_CARDS"
STARTED = "TOOLKIT_STARTED"
TERMINAL = "TOOLKIT_TERMINAL"
WARM = "TOOLKIT_WARM"
OFF = "off"
THREADS = "OMP_NUM_THREADS"
NVML_CHECK = "PYTORCH_NVML_BASED_CUDA_CHECK"
VISIBLE_CARDS = "CUDA_VISIBLE_DEVICES"
TOKENIZERS_PARALLELISM = "TOKENIZERS_PARALLELISM"
_cards_before: list[str | None] = []  # of VISIBLE_CARDS, once this process sees only one
LAUNCHERS = ("torchrun", "torch.distributed", "torch/distributed", "accelerate", "deepspeed")
# What torch.distributed, accelerate, transformers and ms-swift take for "one of several processes".
LAUNCHER_NAMES = frozenset({
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "NODE_RANK",
    "ROLE_RANK", "ROLE_WORLD_SIZE", "CROSS_RANK", "CROSS_SIZE", "MASTER_ADDR", "MASTER_PORT", "NPROC_PER_NODE",
    "NNODES", "NODE_COUNT", "FORK_LAUNCHED", "CCL_WORKER_COUNT",
})  # fmt: skip
LIBRARY_SETTINGS = "PMIX_MCA_"  # NVIDIA's images set one for every process, whoever starts it
# What the libraries read with int() and strtobool() while they are imported, seconds later.
NUMBERS = ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT")
FLAGS = ("USE_HF", "DISABLE_MP_DDP")
FLAG_VALUES = frozenset({"y", "yes", "t", "true", "on", "1", "n", "no", "f", "false", "off", "0"})
# SLURM_* stays: nothing that we use reads it, and every command within a job has it.
LAUNCHER_PREFIXES = (
    "ACCELERATE_", "FSDP_", "MEGATRON_LM_", "TORCHELASTIC_", "TORCH_NCCL_ASYNC", "PMI_", "PMIX_", "OMPI_COMM_WORLD_",
    "MV2_COMM_WORLD_", "MPI_LOCAL",
)  # fmt: skip


def api_key() -> str | None:
    """The key that clients of `serve` must send."""
    return os.environ.get(API_KEY)


def cache_folder() -> str | None:
    """Where programs keep what they can make again, if not in ~/.cache (XDG Base Directory Specification)."""
    return os.environ.get("XDG_CACHE_HOME")


def config_folder() -> Path:
    """Where programs keep what the user gave them (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def data_folder() -> str | None:
    """Where the shipped data is, if not beside the package."""
    return os.environ.get(DATA)


def gpu_memory_gib() -> str | None:
    """How much memory of a shared card may be used, in GiB; not yet parsed."""
    return os.environ.get(GPU_MEMORY_GIB)


def precision() -> str | None:
    """What auto means as a precision; None if the user leaves it to the device."""
    return os.environ.get(PRECISION) or None


def home() -> str | None:
    """The folder of models, runs and caches that the user names."""
    return os.environ.get(HOME) or None


def language() -> str:
    """`zh` if TOOLKIT_LANG or else the locale begins so (POSIX: LC_ALL, LC_MESSAGES, LANG); `en` otherwise."""
    names = (LANGUAGE, "LC_ALL", "LC_MESSAGES", "LANG")
    first = next((value for name in names if (value := os.environ.get(name))), "")
    return "zh" if first.lower().startswith("zh") else "en"


def speak(language: str) -> None:
    """From here on this process, and those that it starts, use the language."""
    os.environ[LANGUAGE] = language


def image() -> str | None:
    """The digest of the image that this container is of, as the host knows it; None outside of one."""
    return os.environ.get(IMAGE) or None


def key_password() -> str | None:
    """The password of the private key that signs."""
    return os.environ.get(KEY_PASSWORD) or None


def base_model() -> str | None:
    """The base model to use when no --model is given."""
    return os.environ.get(MODEL)


def program() -> str | None:
    """How the host calls the toolkit in this container, up to and with its name, and the host's output folder."""
    return os.environ.get(PROGRAM) or None


def progress_file() -> Path | None:
    """Where a command writes its progress for the process that started it, in place of showing it."""
    file = os.environ.get(PROGRESS)
    return Path(file) if file else None


def for_child(*removed: str, **added: str) -> dict[str, str]:
    """The environment of a child process: this one's without some names, and what is added."""
    with every_card():
        return {name: value for name, value in os.environ.items() if name not in (*removed, STARTED)} | added


def see_one_card() -> None:
    """Before a library looks for cards: they spread a model, or a batch, over all that they see, unasked."""
    before = os.environ.get(VISIBLE_CARDS)
    _cards_before.append(before)
    os.environ[VISIBLE_CARDS] = "0" if before is None else before.split(",")[0]


@contextmanager
def every_card() -> Iterator[None]:
    """Within, the variable is as the user has it."""
    now = os.environ.get(VISIBLE_CARDS)
    _set(VISIBLE_CARDS, _cards_before[0] if _cards_before else now)
    try:
        yield
    finally:
        _set(VISIBLE_CARDS, now)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def published_address() -> str | None:
    """The host's address, as host:port, that leads to a container's port."""
    return os.environ.get(PUBLISHED)


def started() -> float | None:
    """When the command began that a warm process does the work of, on `time.perf_counter`'s clock."""
    value = os.environ.get(STARTED)
    return float(value) if value else None


def warm_is_off() -> bool:
    """Whether warm processes are to be left out."""
    return os.environ.get(WARM) == OFF


def initial() -> dict[str, str]:
    """The environment that this process was started with: since then the toolkit has set variables of its own."""
    try:
        pairs = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return dict(os.environ)
    return dict(os.fsdecode(pair).split("=", 1) for pair in pairs if b"=" in pair)


def set_since(before: Mapping[str, str]) -> dict[str, str]:
    """What differs from `before`, without what each process decides for itself."""
    own = {VISIBLE_CARDS, NVML_CHECK, "HOME", "USER"}
    return {name: value for name, value in os.environ.items() if before.get(name) != value and name not in own}


def for_warm_command(environment: Mapping[str, str], began: float) -> dict[str, str]:
    """The environment of a command that no warm process does any more, and that began then."""
    return {**environment, WARM: OFF, STARTED: repr(began)}


def become(environment: Mapping[str, str]) -> None:
    """Gives this process another environment."""
    os.environ.clear()
    os.environ.update(environment)


def look_for_cards_without_context(*, on: bool) -> None:
    """Torch then asks the driver's library: what has a context on a card cannot be forked."""
    _set(NVML_CHECK, "1" if on else None)


def terminal_streams() -> list[str]:
    """The names of a container's streams (stdout, stderr) that a terminal outside shows."""
    return os.environ.get(TERMINAL, "").split(",")


def is_over_ssh() -> bool:
    """Whether the process ends with an SSH connection: sshd's variables, and no tmux or screen between."""
    over = "SSH_CONNECTION" in os.environ or "SSH_TTY" in os.environ
    return over and not {"TMUX", "STY"} & os.environ.keys()


def launched() -> tuple[int, int, int] | None:
    """Of a process that torchrun started: its rank, how many there are, and its rank on this host; else None."""
    try:
        return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_RANK"])
    except (KeyError, ValueError):
        return None


def invalid_variable() -> str | None:
    """The first variable that a library will not accept; None if there is none."""
    wrong_numbers = [name for name in NUMBERS if not os.environ.get(name, "0").strip().lstrip("+-").isdecimal()]
    wrong_flags = [name for name in FLAGS if os.environ.get(name, "0").lower() not in FLAG_VALUES]
    return next(iter(wrong_numbers + wrong_flags), None)


def ignore_launcher(processes: Path = Path("/proc")) -> list[str]:
    """Removes what a launcher of several processes left in the environment, and returns the names.

    torch would wait for those processes without an end. A launcher that started this process itself is obeyed.
    """
    return [] if _is_launched(processes) else forget_launcher()


def forget_launcher() -> list[str]:
    """Removes a launcher's variables, and returns their names."""
    names = sorted(
        name
        for name in os.environ
        if name in LAUNCHER_NAMES or (name.startswith(LAUNCHER_PREFIXES) and not name.startswith(LIBRARY_SETTINGS))
    )
    for name in names:
        del os.environ[name]
    return names


def _is_launched(processes: Path) -> bool:
    """Whether the parent process is a launcher; without /proc, whether torchrun's variables are there."""
    try:
        parent = (processes / str(os.getppid()) / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return "TORCHELASTIC_RUN_ID" in os.environ
    return any(name in parent for name in LAUNCHERS)


def of_process(card: int, cards: int, processes: int, *, on_one_host: bool) -> dict[str, str]:
    """The environment of one of several processes: its card of so many, or without any its share of the cores.

    On one host they meet over the loopback address: its own name may lead nowhere.
    """
    found = for_child()
    if on_one_host:
        found.setdefault("GLOO_SOCKET_IFNAME", "lo")
    if cards:
        numbers = (found.get(VISIBLE_CARDS) or ",".join(map(str, range(cards)))).split(",")
        return found | {VISIBLE_CARDS: numbers[card]}
    found.setdefault(THREADS, str(max(1, (os.cpu_count() or 1) // processes)))
    return found


def let_waiting_threads_sleep() -> None:
    """Before torch is loaded: its threads spin a moment, then sleep, or else slow a busy machine down many times."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")


def tracker_setting(name: str, default: str) -> str:
    """A variable of a tracker's own library, such as WANDB_MODE; the library's own default is often to go online."""
    return os.environ.get(name) or default


def quiet_mlflow() -> None:
    """Before mlflow is imported: it sends nothing about its use, and nothing about git, which may not be installed."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")


def quiet_modelscope() -> None:
    """Before modelscope is imported: no progress bar of its own, and three retries instead of five."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("MODELSCOPE_DOWNLOAD_MAX_RETRIES", "3")


def tokenize_on_one_core() -> None:
    """From here on the tokenizers library has no threads in this process, whatever the user asked for."""
    os.environ[TOKENIZERS_PARALLELISM] = "false"
