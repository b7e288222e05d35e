"""Reads weights into the page cache while Python imports, so that loading them does not wait for the disk.

A help and no more: whatever fails in it, loading reads for itself.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

THREADS = 4  # files at the same time: a disk that is far away answers several at once
PIECE_BYTES = 1 << 28  # a call; after each, a thread waits for the interpreter, which imports keep busy
MOST_OF_MEMORY = 0.7  # of what is available: the page cache must not push out what else is in use
MEMORY = Path("/proc/meminfo")


def read_ahead(folder: Path, memory: Path = MEMORY) -> list[Thread]:
    """Begins, and returns at once: the threads at work, none where the weights would not fit into the memory."""
    weights = sorted(folder.glob("*.safetensors"))
    try:
        size_bytes = sum(path.stat().st_size for path in weights)
        fits = size_bytes < MOST_OF_MEMORY * _available_bytes(memory)
    except (OSError, ValueError, IndexError):
        return []
    shares = [weights[first::THREADS] for first in range(THREADS)]
    threads = [Thread(target=_read, args=(share,), daemon=True) for share in shares if share and fits]
    for thread in threads:
        thread.start()
    return threads


def _available_bytes(memory: Path) -> int:
    """Page cache included; 0 on a system that does not tell."""
    for line in memory.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0


def _read(paths: Sequence[Path]) -> None:
    """To /dev/null by sendfile: nothing is copied, and what is cached already costs next to nothing.

    fadvise(WILLNEED) reads no more than a window of each call and skips when the disk is busy.
    """
    with suppress(OSError), Path(os.devnull).open("wb") as nowhere:
        for path in paths:
            with path.open("rb") as file:
                at = 0
                while sent := os.sendfile(nowhere.fileno(), file.fileno(), at, PIECE_BYTES):
                    at += sent
