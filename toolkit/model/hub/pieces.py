"""Fetches a large file in pieces, several at a time, each to its place in the final file, and hashes it on arrival.

One connection rarely fills a line: a hub's CDN limits each. The pieces are asked for in the file's order, so that the
hash follows the bytes and is known with the last of them. How far each piece is lies beside the file, in
`<file>.pieces`, and the next fetch requests only the rest.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self

from toolkit.core.documents import read_json
from toolkit.core.files import BLOCK_BYTES, write_text

PIECE_BYTES = 32 * 1024 * 1024  # a request each; short enough that the hash is never far behind
CONNECTIONS = 8
RECORD_EVERY_S = 1.0
WAIT_S = 0.2
Report = Callable[[int], None]  # gets how many bytes of the file are there


class NoRangesError(Exception):
    """The server sends the whole file where a part of it was asked for."""


class StoppedError(Exception):
    """The fetch was given up by the thread that waits for it."""


def fetch_pieces(
    url: str, headers: Callable[[], Mapping[str, str]], arriving: Path, size_bytes: int, report: Report
) -> str:
    """Completes the file `arriving`, and returns its sha256 in hexadecimal.

    `headers`: called for each piece, in another thread. Raises NoRangesError, OSError, and huggingface_hub's errors.
    """
    job = _Job.begin(url, headers, arriving, size_bytes)
    try:
        return job.finish(report)
    finally:
        with job.lock:
            job.stop.set()
            job.stream.close()


def present_bytes(arriving: Path) -> int:
    """How much of the file an earlier fetch left, whether in pieces or from its start."""
    return sum(_present(arriving))


def forget(arriving: Path) -> bool:
    """The file is complete, or is started again; whether it was fetched in pieces."""
    path = record_of(arriving)
    known = path.exists()
    path.unlink(missing_ok=True)
    return known


def record_of(arriving: Path) -> Path:
    return arriving.with_name(f"{arriving.name}.pieces")


@dataclass(kw_only=True)
class _Job:
    url: str
    headers: Callable[[], Mapping[str, str]]
    arriving: Path
    size_bytes: int
    stream: BinaryIO
    present: list[int]  # bytes of each piece, from its start
    waiting: list[int]  # pieces that are not complete, the last first
    lock: threading.Lock = field(default_factory=threading.Lock)
    changed: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None

    @classmethod
    def begin(cls, url: str, headers: Callable[[], Mapping[str, str]], arriving: Path, size_bytes: int) -> Self:
        count = -(-size_bytes // PIECE_BYTES)
        present = (_present(arriving) + [0] * count)[:count]
        stream = os.fdopen(os.open(arriving, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+b", buffering=0)
        job = cls(
            url=url, headers=headers, arriving=arriving, size_bytes=size_bytes, stream=stream,
            present=present, waiting=[],
        )  # fmt: skip
        job.waiting = [piece for piece in reversed(range(count)) if present[piece] < job.length(piece)]
        job.record()
        return job

    def length(self, piece: int) -> int:
        return min(PIECE_BYTES, self.size_bytes - piece * PIECE_BYTES)

    def record(self) -> None:
        """Never ahead of the bytes: what a kill loses is fetched again, and the hash covers what a power cut loses."""
        with self.lock:
            text = json.dumps({"piece_bytes": PIECE_BYTES, "present": self.present})
        write_text(record_of(self.arriving), text)

    def finish(self, report: Report) -> str:
        for _ in range(min(CONNECTIONS, len(self.waiting))):
            threading.Thread(target=self.work, daemon=True).start()
        digest, hashed, reported, recorded_at = hashlib.sha256(), 0, -1, time.monotonic()
        try:
            while hashed < self.size_bytes:
                self.changed.clear()
                if self.error is not None:
                    raise self.error
                ready = min(self.frontier() - hashed, BLOCK_BYTES)
                if ready:
                    digest.update(block := os.pread(self.stream.fileno(), ready, hashed))
                    hashed += len(block)
                else:
                    self.changed.wait(WAIT_S)
                if (there := sum(self.present)) != reported:
                    report(reported := there)
                if time.monotonic() - recorded_at > RECORD_EVERY_S:
                    self.record()
                    recorded_at = time.monotonic()
        finally:
            self.record()
        return digest.hexdigest()

    def frontier(self) -> int:
        """Up to which byte the file is there without a gap."""
        piece = next((one for one, there in enumerate(self.present) if there < self.length(one)), None)
        return self.size_bytes if piece is None else piece * PIECE_BYTES + self.present[piece]

    def work(self) -> None:
        """One connection: takes the next piece until there is none."""
        from huggingface_hub.file_download import http_get

        try:
            while not self.stop.is_set():
                with self.lock:
                    if not self.waiting:
                        return
                    piece = self.waiting.pop()
                start, length = piece * PIECE_BYTES, self.length(piece)
                window: Any = _Window(self, piece)
                http_get(
                    self.url, window, resume_size=self.present[piece], expected_size=length,
                    headers={**self.headers(), "Range": f"bytes={start}-{start + length - 1}"},
                    tqdm_class=window.open_bar,
                )  # fmt: skip
        except BaseException as error:  # noqa: BLE001  # for the thread that waits, which raises it
            self.error = self.error or error
        finally:
            self.changed.set()

    def put(self, piece: int, chunk: bytes) -> None:
        """Under the lock, so that nothing is written once the fetch has ended."""
        with self.lock:
            at = self.present[piece]
            if at + len(chunk) > self.length(piece):
                raise NoRangesError(self.url)
            if self.stop.is_set():
                raise StoppedError
            view, start = memoryview(chunk), piece * PIECE_BYTES + at
            while view:
                written = os.pwrite(self.stream.fileno(), view, start)
                view, start = view[written:], start + written
            self.present[piece] = at + len(chunk)
        self.changed.set()


class _Window:
    """One piece of the file, as huggingface_hub's `http_get` writes it; also the bar that it moves."""

    def __init__(self, job: _Job, piece: int) -> None:
        self._job, self._piece = job, piece

    def write(self, chunk: bytes) -> int:
        self._job.put(self._piece, chunk)
        return len(chunk)

    def tell(self) -> int:
        raise NoRangesError(self._job.url)  # asked only before it starts a file again

    def open_bar(self, **_: object) -> Self:
        return self

    def update(self, _count: float) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def _present(arriving: Path) -> list[int]:
    """How much of each piece an earlier fetch left: as it wrote down, else from the file's start without a gap."""
    there = arriving.stat().st_size if arriving.is_file() else 0
    within = [min(there - start, PIECE_BYTES) for start in range(0, there, PIECE_BYTES)]
    try:
        stored = read_json(record_of(arriving))
    except FileNotFoundError:
        return within
    except (OSError, ValueError):
        return []
    match stored:
        case {"piece_bytes": size, "present": list(present)} if size == PIECE_BYTES:
            if all(isinstance(one, int) and one >= 0 for one in present):
                return [min(one, most) for one, most in zip(present, within, strict=False)]
    return []
