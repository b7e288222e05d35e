"""Fetches a base model at its locked revision: what stands under the target's name is whole and checked.

Bytes gather in `<target>.partial/`; each file is held against the lock when it has arrived, and a wrong one is deleted.
Then the folder takes the target's name in one step. Into a folder that exists, the missing and wrong files are moved
from `<target>/.partial/` when all have arrived, one by one, config.json last; nothing else in it is touched.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.errors import ConfigError, Interrupted, ModelError
from toolkit.core.events import Listener, Progress, silent
from toolkit.core.files import LOCK_NAME, lock_folder, require_free_space
from toolkit.model.hub.fetch import Fetch, Source, fetch_from, incomplete
from toolkit.model.lock import DEFAULT_MODEL, Lock, LockedFile, find_lock
from toolkit.model.verify import Mismatch, check_folder, sha256_mismatch, size_mismatch

MARGIN_BYTES = 64 * 1024 * 1024  # left free beside the files


@dataclass(frozen=True, kw_only=True)
class DownloadConfig:
    model: str = DEFAULT_MODEL
    to: Path | None = None  # None: ./models/<the lock's folder>
    endpoint: str | None = None
    source: Source = "hf"
    margin_bytes: int = MARGIN_BYTES


@dataclass(frozen=True, kw_only=True)
class DownloadResult:
    folder: Path
    lock: Lock
    fetched: tuple[str, ...]  # the files that this call took from the hub


def download(config: DownloadConfig, *, listener: Listener = silent, fetch: Fetch | None = None) -> DownloadResult:
    """Raises ConfigError for a model or a target that cannot be, ModelError for what goes wrong under way."""
    lock = find_lock(config.model)
    if not lock.repository:
        raise ConfigError(f"{lock.name} ships with the toolkit.", next=f'Use it as it is: "--model {lock.name}".')
    fetch = fetch or fetch_from(config.source, config.endpoint)
    folder = config.to or Path("models") / lock.folder
    target = folder.resolve()
    if target.exists() and not target.is_dir():
        raise ConfigError(f"{target} is a file, not a folder.", next="Name a folder with --to.")
    existed = target.is_dir()
    wrong = check_folder(target, lock, listener) if existed else []
    if existed and not wrong:
        return DownloadResult(folder=folder, lock=lock, fetched=())
    _reject_unknown_files(target, wrong)
    partial = target / ".partial" if existed else target.with_name(f"{target.name}.partial")
    with _locked(partial):
        if not existed and target.is_dir():  # another download has just ended
            return download(config, listener=listener, fetch=fetch)
        wanted = [file for file in lock.files if not existed or file.name in {mismatch.name for mismatch in wrong}]
        missing = [file for file in wanted if not _is_sound(file, partial, listener)]
        _require_space(missing, partial, config.margin_bytes)
        _fetch_all(missing, partial, lock, listener, fetch)
        _move_into_place(wanted, partial, target)
    return DownloadResult(folder=folder, lock=lock, fetched=tuple(file.name for file in missing))


def _reject_unknown_files(target: Path, wrong: list[Mismatch]) -> None:
    strangers = [mismatch.name for mismatch in wrong if mismatch.problem == "unknown"]
    if strangers:
        raise ModelError(
            f"{target} holds files that the lock does not know and that would be loaded: {', '.join(strangers)}.",
            next="Move them away, or name another folder with --to.",
        )


@contextmanager
def _locked(partial: Path) -> Iterator[None]:
    """Holds `partial` for this process; what the disk refuses and Ctrl-C leave as errors that say how to go on."""
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with lock_folder(partial):
            yield
    except BlockingIOError as error:
        raise ModelError(
            f"Another download is at work in {partial}.", next="Wait for it, or name another folder with --to."
        ) from error
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"The download stopped; what has arrived stays in {partial}.", next="The same command goes on from there."
        ) from error
    except OSError as error:
        raise ModelError(
            f"{partial} cannot be written: {error.strerror or error}.", next="Name another folder with --to."
        ) from error


def _fetch_all(missing: list[LockedFile], partial: Path, lock: Lock, listener: Listener, fetch: Fetch) -> None:
    task, total = f"download {lock.folder}", lock.total_bytes
    done = total - sum(file.size_bytes for file in missing)
    for file in sorted(missing, key=lambda file: file.size_bytes):  # a wrong hub shows itself before the big ones

        def told(event: Progress, before: int = done) -> None:
            detail = f"{event.task}, {event.detail}" if event.detail else event.task
            listener(Progress(task=task, done=before + event.done, total=total, unit="bytes", detail=detail))

        fetch(lock, file, partial, told)
        _accept(file, partial, told)
        done += file.size_bytes


def _is_sound(file: LockedFile, partial: Path, listener: Listener) -> bool:
    """Whether an earlier try left the file whole; a wrong one is deleted."""
    if size_mismatch(partial, file) is None:

        def hashed(done: int) -> None:
            listener(Progress(task=f"check {file.name}", done=done, total=file.size_bytes, unit="bytes"))

        if sha256_mismatch(partial, file, hashed) is None:
            return True
    (partial / file.name).unlink(missing_ok=True)
    return False


def _require_space(missing: list[LockedFile], partial: Path, margin_bytes: int) -> None:
    needed = sum(file.size_bytes for file in missing)
    here = sum(path.stat().st_size for file in missing if (path := incomplete(partial, file.name)).exists())
    if needed:
        require_free_space(
            partial.parent, needed - here, margin_bytes, purpose="the download", option="--to", error=ModelError
        )


def _accept(file: LockedFile, partial: Path, listener: Listener) -> None:
    path = partial / file.name
    listener(Progress(task=file.name, done=file.size_bytes, total=file.size_bytes, unit="bytes", detail="checking"))
    wrong = size_mismatch(partial, file) or sha256_mismatch(partial, file)
    if wrong is not None:
        path.unlink(missing_ok=True)
        raise ModelError(
            f"{wrong}. It was deleted.",
            next="Run the same command again; if it stays wrong, try another --endpoint or --source.",
        )
    with path.open("rb") as stream:
        os.fsync(stream.fileno())  # so that a power cut cannot hollow out what was checked


def _move_into_place(wanted: list[LockedFile], partial: Path, target: Path) -> None:
    """Gives the gathered files their place under the target's name."""
    _clean_partial(partial, {file.name for file in wanted} | {LOCK_NAME})
    if not target.is_dir():
        partial.rename(target)  # with the lock in it, so that no other download begins in between
        (target / LOCK_NAME).unlink()
        return
    for file in sorted(wanted, key=lambda file: file.name == "config.json"):
        place = target / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        (partial / file.name).replace(place)
    shutil.rmtree(partial)


def _clean_partial(partial: Path, keep: set[str]) -> None:
    for path in sorted(partial.rglob("*"), reverse=True):  # a folder after what it holds
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.is_file() and path.relative_to(partial).as_posix() not in keep:
            path.unlink()
