"""Reads into the page cache what will be wanted while something else goes on: a model's weights, and the libraries.

A help and no more: whatever fails in it, who wants a file reads it then.
Run as a program, of the standard library alone, it reads the libraries in the folder that it is told.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

THREADS = 4  # files at the same time: a disk that is far away answers several at once
PIECE_BYTES = 1 << 28  # a call; after each, a thread waits for the interpreter, which imports keep busy
MOST_OF_MEMORY = 0.7  # of what is available: the page cache must not push out what else is in use
MEMORY = Path("/proc/meminfo")
# What ms-swift imports, about in its order.
LIBRARIES = (
    "torch", "numpy", "numpy.libs", "transformers", "huggingface_hub", "httpx", "tokenizers", "safetensors", "trl",
    "accelerate", "psutil", "sympy", "mpmath", "scipy", "scipy.libs", "datasets", "pyarrow", "pandas", "aiohttp",
    "modelscope", "modelscope_hub", "peft", "PIL", "pydantic", "pydantic_core", "regex", "cryptography", "swift",
)  # fmt: skip
LIBRARY_THREADS = 16  # small files: all of the time is waiting
UNREAD = {"bin", "include", "share", "test", "tests", "testing", "onnx"}
SOURCES = Path("transformers", "models")  # transformers looks through their text, and imports few of them
LARGE_BYTES = 64_000_000  # of a larger library little is touched, and in one file the kernel reads ahead itself


def prefetch(folder: Path, memory: Path = MEMORY) -> list[Thread]:
    """The model's weights. Returns at once: the threads at work, none where the weights would not fit into memory."""
    weights = sorted(folder.glob("*.safetensors"))
    try:
        size_bytes = sum(path.stat().st_size for path in weights)
        fits = size_bytes < MOST_OF_MEMORY * _available_bytes(memory)
    except (OSError, ValueError, IndexError):
        return []
    return _read_by(THREADS, weights) if fits else []


def prefetch_libraries() -> None:
    """By a process of its own: they are thousands of files, and this process's interpreter is about to be busy."""
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
    """Judged by what is imported last."""
    try:
        return all(map(_is_cached, (packages / LIBRARIES[-1]).rglob("__init__*.pyc")))
    except OSError:  # a file system that cannot say
        return False


def _is_cached(path: Path) -> bool:
    with path.open("rb", buffering=0) as file:
        try:
            os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
        except BlockingIOError:
            return False
    return True


def library_files(packages: Path) -> Iterator[Path]:
    """Byte code and native code; of transformers' models the text."""
    for name in LIBRARIES:
        for place, folders, files in os.walk(packages / name):
            folders[:] = [folder for folder in folders if folder not in UNREAD]
            wanted = ".py" if Path(place).is_relative_to(packages / SOURCES) else ".pyc"
            for file in files:
                path = Path(place, file)
                if path.suffix == wanted or (".so" in path.suffixes and path.stat().st_size <= LARGE_BYTES):
                    yield path


def _available_bytes(memory: Path) -> int:
    """Page cache included; 0 on a system that does not tell."""
    for line in memory.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0


def _read_by(count: int, paths: Sequence[Path]) -> list[Thread]:
    shares = [paths[first::count] for first in range(count)]
    threads = [Thread(target=_read, args=(share,), daemon=True) for share in shares if share]
    for thread in threads:
        thread.start()
    return threads


def _read(paths: Sequence[Path]) -> None:
    """To /dev/null by sendfile: nothing is copied, and what is cached already costs next to nothing.

    fadvise(WILLNEED) reads no more than a window of each call, and less when the disk is busy.
    """
    with Path(os.devnull).open("wb") as nowhere:
        for path in paths:
            with suppress(OSError), path.open("rb", buffering=0) as file:
                at = 0
                while sent := os.sendfile(nowhere.fileno(), file.fileno(), at, PIECE_BYTES):
                    at += sent


def _read_libraries(packages: Path) -> None:
    if not are_cached(packages):
        for thread in _read_by(LIBRARY_THREADS, list(library_files(packages))):
            thread.join()


if __name__ == "__main__":
    _read_libraries(Path(sys.argv[1]))
