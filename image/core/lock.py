"""The lock of a base model, as the host and the build read it: file names, sizes and sha256.

  python3 image/core/lock.py LOCK MODEL TARGET

is the build's own check. It hashes every file of LOCK in the folder MODEL, copies all but the weights to TARGET, and
writes SHA256SUMS there. It exits with 4 and prints one line per wrong file. The Dockerfile runs this file by itself, so
it imports only the standard library.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

BLOCK_BYTES = 8 * 1024 * 1024
WEIGHTS_SUFFIX = ".safetensors"


@dataclass(frozen=True, kw_only=True)
class LockedFile:
    name: str  # relative to the model folder, separated by "/"
    size_bytes: int
    sha256: str

    @property
    def is_weights(self) -> bool:
        return self.name.endswith(WEIGHTS_SUFFIX)


@dataclass(frozen=True, kw_only=True)
class Lock:
    name: str
    folder: str
    repository: str
    revision: str
    licence: str
    source_date_epoch: int  # in seconds; constant, so that commits never change the weights' layers
    files: tuple[LockedFile, ...]
    sha256: str  # of the lock file itself

    @property
    def total_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def weights(self) -> tuple[LockedFile, ...]:
        return tuple(file for file in self.files if file.is_weights)


def read_lock(path: Path) -> Lock:
    """Raises OSError if `path` cannot be read, and ValueError if it is not a lock."""
    content = path.read_bytes()
    try:
        fields = json.loads(content)
        return Lock(
            name=fields["name"],
            folder=fields["folder"],
            repository=fields["repository"],
            revision=fields["revision"],
            licence=fields["licence"],
            source_date_epoch=int(fields["source_date_epoch"]),
            files=tuple(
                LockedFile(name=name, size_bytes=entry["bytes"], sha256=entry["sha256"])
                for name, entry in fields["files"].items()
            ),
            sha256=hashlib.sha256(content).hexdigest(),
        )
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is not the lock of a base model: {error!r}") from error


def wrong_files(folder: Path, lock: Lock, advance: Callable[[int], None] = lambda _: None) -> Iterator[str]:
    """Yields a line per file that differs from the lock. `advance` gets the size in bytes of each block hashed."""
    for file in lock.files:
        path = folder / file.name
        if not path.is_file():
            yield f"{file.name}: missing"
        elif path.stat().st_size != file.size_bytes:
            yield f"{file.name}: {path.stat().st_size} bytes, the lock says {file.size_bytes}"
        elif (found := _file_sha256(path, advance)) != file.sha256:
            yield f"{file.name}: sha256 {found[:12]}…, the lock says {file.sha256[:12]}…"


def stream_sha256(stream: IO[bytes], advance: Callable[[int], None]) -> str:
    """The sha256 of what is left in `stream`, in hexadecimal. `advance` gets the size in bytes of each block read."""
    digest = hashlib.sha256()
    while block := stream.read(BLOCK_BYTES):
        digest.update(block)
        advance(len(block))
    return digest.hexdigest()


def _file_sha256(path: Path, advance: Callable[[int], None]) -> str:
    with path.open("rb", buffering=0) as stream:
        return stream_sha256(stream, advance)


def _check_in_build(lock: Lock, model: Path, target: Path) -> int:
    wrong = list(wrong_files(model, lock))
    if wrong:
        sys.stderr.write("".join(f"{line}\n" for line in wrong))
        return 4
    target.mkdir(parents=True)
    for file in lock.files:
        if not file.is_weights:
            (target / file.name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(model / file.name, target / file.name)
    sums = "".join(f"{file.sha256}  {file.name}\n" for file in lock.files)
    (target / "SHA256SUMS").write_text(sums, encoding="utf-8")
    return 0


if __name__ == "__main__":
    _lock, _model, _target = map(Path, sys.argv[1:])
    sys.exit(_check_in_build(read_lock(_lock), _model, _target))
