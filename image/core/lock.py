"""The lock of a base model as the host and the build read it: which files, how long, what sha256.

  python3 image/core/lock.py LOCK MODEL TARGET

is the build's own check: every file of LOCK is hashed in MODEL, and those that are no weights are copied to TARGET,
with a SHA256SUMS of all. It needs nothing but Python, and ends with 4 and a line for each wrong file.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 8 * 1024 * 1024
WEIGHTS_SUFFIX = ".safetensors"


@dataclass(frozen=True, kw_only=True)
class LockedFile:
    name: str  # relative to the model's folder, with "/"
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
    source_date_epoch: int  # seconds; a constant, so that a commit never moves the weights' layers
    files: tuple[LockedFile, ...]
    sha256: str  # of the lock file itself

    @property
    def total_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def weights(self) -> tuple[LockedFile, ...]:
        return tuple(file for file in self.files if file.is_weights)


def read_lock(path: Path) -> Lock:
    """The lock in `path`. Raises ValueError where it is none."""
    content = path.read_bytes()
    try:
        told = json.loads(content)
        return Lock(
            name=told["name"],
            folder=told["folder"],
            repository=told["repository"],
            revision=told["revision"],
            licence=told["licence"],
            source_date_epoch=int(told["source_date_epoch"]),
            files=tuple(
                LockedFile(name=name, size_bytes=entry["bytes"], sha256=entry["sha256"])
                for name, entry in told["files"].items()
            ),
            sha256=hashlib.sha256(content).hexdigest(),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no lock of a base model: {error}") from error


def wrong_files(folder: Path, lock: Lock, advance: Callable[[int], None] = lambda _: None) -> Iterator[str]:
    """A line for each file that is not as the lock says; `advance` hears the bytes hashed since it was last called."""
    for file in lock.files:
        path = folder / file.name
        if not path.is_file():
            yield f"{file.name}: missing"
        elif path.stat().st_size != file.size_bytes:
            yield f"{file.name}: {path.stat().st_size} bytes, the lock says {file.size_bytes}"
        elif (found := _sha256(path, advance)) != file.sha256:
            yield f"{file.name}: sha256 {found[:12]}…, the lock says {file.sha256[:12]}…"


def _sha256(path: Path, advance: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
            advance(len(block))
    return digest.hexdigest()


def _check_in_the_build(lock: Lock, model: Path, target: Path) -> int:
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
    sys.exit(_check_in_the_build(read_lock(_lock), _model, _target))
