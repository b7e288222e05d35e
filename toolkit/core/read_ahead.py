"""Reads a model's weights and the libraries into the page cache while something else runs.

An optimisation only: its failures are ignored, and a file that it did not read is read when it is needed. Run as a
program, with nothing but the standard library, it reads the libraries in the folder of its argument.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

THREADS = 4  # files in parallel: network disks answer several requests at once
CHUNK_BYTES = 1 << 28  # per call; after each, a thread waits for the interpreter, which imports keep busy
MAX_MEMORY_SHARE = 0.7  # of the available memory: the page cache must not evict what is in use
MEMORY = Path("/proc/meminfo")
# What ms-swift imports, roughly in that order.
LIBRARIES = (
    "torch", "numpy", "numpy.libs", "transformers", "huggingface_hub", "httpx", "tokenizers", "safetensors", "trl",
    "accelerate", "psutil", "sympy", "mpmath", "datasets", "pyarrow", "pandas", "aiohttp",
    "modelscope", "modelscope_hub", "peft", "PIL", "pydantic", "pydantic_core", "regex", "cryptography", "swift",
)  # fmt: skip
LIBRARY_THREADS = 16  # small files: nearly all of the time is waiting
SKIPPED_FOLDERS = {"bin", "include", "share", "test", "tests", "testing", "onnx"}
SOURCES = Path("transformers", "models")  # transformers scans their source, and imports few of them
LARGE_BYTES = 64_000_000  # little of a larger library is used, and the kernel reads ahead within one file


def prefetch(folder: Path, memory: Path = MEMORY) -> list[Thread]:
    """Starts reading the model's weights; returns the threads, or none if the weights do not fit into memory."""
    weights = sorted(folder.glob("*.safetensors"))
    try:
        size_bytes = sum(path.stat().st_size for path in weights)
        fits = size_bytes < MAX_MEMORY_SHARE * _available_bytes(memory)
    except (OSError, ValueError, IndexError):
        return []
    return _start_threads(THREADS, weights) if fits else []


def prefetch_libraries() -> None:
    """Starts reading the libraries in a separate process: this interpreter is about to be busy importing them."""
    if "torch" in sys.modules:
        return
    import subprocess
    import sysconfig

    with suppress(OSError):
        subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, sysconfig.get_path("purelib")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def are_cached(packages: Path) -> bool:
    """Whether the libraries are in the page cache, judged by the one that is imported last."""
    try:
        return all(map(_is_cached, (packages / LIBRARIES[-1]).rglob("__init__*.pyc")))
    except OSError:  # a file system that does not support the question
        return False


def _is_cached(path: Path) -> bool:
    with path.open("rb", buffering=0) as file:
        try:
            os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
        except BlockingIOError:
            return False
    return True


def library_files(packages: Path) -> Iterator[Path]:
    """The libraries' byte code and native code; of transformers' models the source."""
    for name in LIBRARIES:
        for parent, folders, files in os.walk(packages / name):
            folders[:] = [folder for folder in folders if folder not in SKIPPED_FOLDERS]
            suffix = ".py" if Path(parent).is_relative_to(packages / SOURCES) else ".pyc"
            for file in files:
                path = Path(parent, file)
                if path.suffix == suffix or (".so" in path.suffixes and path.stat().st_size <= LARGE_BYTES):
                    yield path


def _available_bytes(memory: Path) -> int:
    """Available memory including the page cache; 0 if the system does not report it."""
    for line in memory.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0


def _start_threads(count: int, paths: Sequence[Path]) -> list[Thread]:
    shares = [paths[first::count] for first in range(count)]
    threads = [Thread(target=_read, args=(share,), daemon=True) for share in shares if share]
    for thread in threads:
        thread.start()
    return threads


def _read(paths: Sequence[Path]) -> None:
    """Sends files to /dev/null: nothing is copied, and cached files cost next to nothing.

    fadvise(WILLNEED) would read only one window per call, and less when the disk is busy.
    """
    with Path(os.devnull).open("wb") as null:
        for path in paths:
            with suppress(OSError), path.open("rb", buffering=0) as file:
                at = 0
                while sent := os.sendfile(null.fileno(), file.fileno(), at, CHUNK_BYTES):
                    at += sent


def _read_libraries(packages: Path) -> None:
    if not are_cached(packages):
        for thread in _start_threads(LIBRARY_THREADS, list(library_files(packages))):
            thread.join()


if __name__ == "__main__":
    _read_libraries(Path(sys.argv[1]))
