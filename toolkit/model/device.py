"""The device that computes: chosen once, with its reason, and described for run.json."""

from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any

from toolkit.core import environment
from toolkit.core.errors import ConfigError
from toolkit.model.families.sizes import ELEMENT_BYTES

UNTRIED = (
    "auto: the card does not compute in bfloat16. float16, with a loss scale, was tried on an H200 without bfloat16, "
    "but not on a card such as this; TOOLKIT_PRECISION=float32 does without it, in twice the memory"
)


@dataclass(frozen=True, kw_only=True)
class Device:
    """`kind`: cuda or cpu. `memory_bytes`: the card's total memory, `free_bytes`: its free memory (None on a CPU).

    `cards`: how many like it train together; the memory is each one's. `threads`: that torch computes with on a CPU,
    and the widest `instructions` that it takes there (AVX512, …); `deterministic`: whether torch is restricted to such
    kernels.
    """

    kind: str
    name: str
    precision: str
    reason: str
    memory_bytes: int | None = None
    free_bytes: int | None = None
    driver: str | None = None
    threads: int | None = None
    instructions: str | None = None
    deterministic: bool = False
    cards: int = 1

    def to_dict(self) -> dict[str, Any]:
        return {
            "device": self.kind, "name": self.name, "memory_bytes": self.memory_bytes, "driver": self.driver,
            "threads": self.threads, "instructions": self.instructions, "deterministic": self.deterministic,
            "cards": self.cards,
        }  # fmt: skip


def find_device(precision: str = "auto") -> Device:
    """The first card, else the CPU; `precision` is auto or one of `families.sizes`.

    Raises ConfigError for a wrong cap or precision in the environment.
    """
    import platform

    import torch

    given = (precision, "as asked") if precision != "auto" else _from_environment()
    if not torch.cuda.is_available():
        chosen, why = given or ("float32", "auto: no card")
        return Device(
            kind="cpu", name=_processor() or platform.machine(), precision=chosen, reason=why,
            threads=torch.get_num_threads(), instructions=torch.backends.cpu.get_cpu_capability(),
            deterministic=torch.are_deterministic_algorithms_enabled(),
        )  # fmt: skip
    free, total = _card_memory()
    # cuDNN's attention plans again for each new length, which costs more than it saves: every batch has another.
    torch.backends.cuda.enable_cudnn_sdp(False)
    computes_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    native = ("bfloat16", "auto: the card computes in it") if computes_bfloat16 else ("float16", UNTRIED)
    chosen, why = given or native
    return Device(
        kind="cuda", name=torch.cuda.get_device_name(), precision=chosen, reason=why,
        memory_bytes=total, free_bytes=free, driver=_driver(),
        deterministic=torch.are_deterministic_algorithms_enabled(),
    )  # fmt: skip


def _from_environment() -> tuple[str, str] | None:
    """The user's own precision for auto, with its reason. Raises ConfigError."""
    wanted = environment.precision()
    if wanted is not None and wanted not in ELEMENT_BYTES:
        raise ConfigError(f"{environment.PRECISION} is {wanted!r}.", next=f"Give one of {', '.join(ELEMENT_BYTES)}.")
    return None if wanted is None else (wanted, f"as {environment.PRECISION} says")


def card_count() -> int:
    """The cards of this machine that the user may use; this process takes none of them."""
    import torch

    with environment.every_card():
        return torch.cuda.device_count()


def use_threads(count: int) -> None:
    """Lets torch compute with so many threads on the CPU: sums are rounded by how they are split."""
    import torch

    torch.set_num_threads(count)


def start_cuda_context() -> None:
    """Creates the card's context in a thread: it takes a second, while imports go on. Errors show at first use."""
    import torch

    def create() -> None:
        with suppress(RuntimeError):
            if torch.cuda.is_available():
                torch.cuda.mem_get_info()

    Thread(target=create).start()  # not a daemon: the interpreter must not exit while a thread is in torch


def _card_memory() -> tuple[int, int]:
    """Free and total bytes; TOOLKIT_GPU_MEMORY_GIB caps both, for a card that is shared. Raises ConfigError."""
    import torch

    free, total = torch.cuda.mem_get_info()
    limit = capped_bytes()
    if limit is None:
        return free, total
    torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total))
    return min(free, limit), min(total, limit)


def capped_bytes() -> int | None:
    """TOOLKIT_GPU_MEMORY_GIB in bytes; None if it is not set. Raises ConfigError."""
    cap = environment.gpu_memory_gib()
    if cap is None:
        return None
    try:
        limit = int(float(cap) * 2**30)
    except (ValueError, OverflowError):
        limit = 0
    if limit <= 0:
        raise ConfigError(f"{environment.GPU_MEMORY_GIB} is {cap!r}.", next="Give a number of GiB, such as 22.")
    return limit


def reserved_bytes() -> int:
    """The peak of the memory reserved on the card, in bytes; 0 on a CPU."""
    import torch

    return torch.cuda.max_memory_reserved() if torch.cuda.is_available() else 0


def peak_memory_bytes() -> int:
    """The peak memory in bytes: reserved on the card, or on a CPU resident in this process."""
    import resource

    return reserved_bytes() or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def reset_peak_memory() -> None:
    """Frees unused memory on the card and resets its peak; on a CPU the peak is the process's and stays."""
    import gc

    import torch

    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _processor() -> str | None:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123  # no Path needed for one line
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), None)
    except OSError:
        return None


def _driver() -> str | None:
    try:
        with open("/proc/driver/nvidia/version", encoding="utf-8") as file:  # noqa: PTH123
            words = file.readline().split()
    except OSError:
        return None
    return next((word for word in words if word[:1].isdigit() and "." in word), None)
