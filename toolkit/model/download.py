"""Downloads a base model at its locked revision: a folder with the target's name is complete and verified.

Files are fetched into `<target>.partial/` and checked against the lock one by one; a wrong one is deleted. Then the
folder is renamed to the target. Of an existing folder only the missing and wrong files are fetched, into
`<target>/.partial/`; when all are there they are moved, config.json last. Nothing else in the folder is touched.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.errors import ConfigError, Interrupted, ModelError
from toolkit.core.events import Listener, Progress, silent
from toolkit.core.file_stats import known_sha256, remember_sha256
from toolkit.core.files import LOCK_NAME, lock_folder, require_free_space
from toolkit.core.links import require_no_link, require_no_links_in
from toolkit.model.hub.arrival import partial_folder
from toolkit.model.hub.fetch import Fetch, Source, incomplete
from toolkit.model.hub.listing import repository_lock
from toolkit.model.hub.modelscope import modelscope_lock
from toolkit.model.hub.pieces import present_bytes
from toolkit.model.hub.places import fetch_from_place, lists_files
from toolkit.model.lock import DEFAULT_MODEL, HUB_NAME, Lock, LockedFile, called, find_lock, models_folder, write_lock
from toolkit.model.verify import Mismatch, check_folder, sha256_mismatch, size_mismatch

MARGIN_BYTES = 64 * 1024 * 1024  # to leave free on the disk


@dataclass(frozen=True, kw_only=True)
class DownloadConfig:
    model: str = DEFAULT_MODEL
    to: Path | None = None  # None: the lock's folder in `models_folder`
    endpoint: str | None = None  # a mirror's URL, oci://HOST/NAME, or a folder
    source: Source = "hf"
    margin_bytes: int = MARGIN_BYTES


@dataclass(frozen=True, kw_only=True)
class DownloadResult:
    folder: Path
    lock: Lock
    fetched: tuple[str, ...]  # names of the files that this call fetched


def download(config: DownloadConfig, *, listener: Listener = silent, fetch: Fetch | None = None) -> DownloadResult:
    """Raises ConfigError for an impossible model or target, ModelError if the download fails, Interrupted on Ctrl-C."""
    lock = _lock_of(config, listener)
    if not lock.repository:
        raise ConfigError(f"{lock.name} ships with the toolkit.", next=f'Use it as it is: "--model {lock.name}".')
    fetch = fetch or fetch_from_place(config.source, config.endpoint)
    folder = config.to or models_folder() / lock.folder
    target = folder.resolve()
    if target.exists() and not target.is_dir():
        raise ConfigError(f"{target} is a file, not a folder.", next="Name a folder with --to.")
    existed = target.is_dir()
    wrong = check_folder(target, lock, listener) if existed else []
    if existed and not wrong:
        return DownloadResult(folder=folder, lock=lock, fetched=())
    _reject_unknown_files(target, wrong)
    partial = target / ".partial" if existed else partial_folder(target)
    with _locked(partial):
        if not existed and target.is_dir():  # another download has just finished
            return download(config, listener=listener, fetch=fetch)
        wanted = [file for file in lock.files if not existed or file.name in {mismatch.name for mismatch in wrong}]
        missing = [file for file in wanted if not _is_correct(file, partial, listener)]
        _require_space(missing, partial, config.margin_bytes)
        _fetch_all(missing, partial, lock, listener, fetch)
        _move_into_place(wanted, partial, target)
        for file in wanted:
            remember_sha256(target / file.name, file.sha256)
    return DownloadResult(folder=folder, lock=lock, fetched=tuple(file.name for file in missing))


def _lock_of(config: DownloadConfig, listener: Listener) -> Lock:
    """A known lock; else, or where a revision is named, one that is written from what the hub lists."""
    name, _, revision = config.model.partition("@")
    if not HUB_NAME.fullmatch(name) or (called(name) is not None and not revision):
        return find_lock(config.model)
    if not lists_files(config.endpoint):
        raise ConfigError(
            f"{name} has no lock yet, and only a hub lists the hashes of its files.",
            next="Download it from a hub or a mirror of one first; the lock is then there.",
        )
    if config.source == "modelscope":
        if revision:
            raise ConfigError(
                f"{config.model}: ModelScope is asked for its newest revision.", next="Leave out @REVISION."
            )
        lock = modelscope_lock(name, config.endpoint)
    else:
        lock = repository_lock(name, revision or None, config.endpoint, listener)
    write_lock(lock)
    return lock


def _reject_unknown_files(target: Path, wrong: list[Mismatch]) -> None:
    unknown = [mismatch.name for mismatch in wrong if mismatch.problem == "unknown"]
    if unknown:
        raise ModelError(
            f"{target} contains files that are not in the lock and would be loaded: {', '.join(unknown)}.",
            next="Move them away, or name another folder with --to.",
        )


@contextmanager
def _locked(partial: Path) -> Iterator[None]:
    """Locks `partial` for this process; disk errors and Ctrl-C become errors that say how to continue."""
    try:
        require_no_link(partial)
        partial.mkdir(parents=True, exist_ok=True)
        with lock_folder(partial):
            require_no_links_in(partial)
            yield
    except BlockingIOError as error:
        raise ModelError(
            f"Another download is using {partial}.", next="Wait for it, or name another folder with --to."
        ) from error
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"The download stopped; what has arrived stays in {partial}.", next="The same command resumes it."
        ) from error
    except OSError as error:
        raise ModelError(
            f"{partial} cannot be written: {error.strerror or error}.", next="Name another folder with --to."
        ) from error


def _fetch_all(missing: list[LockedFile], partial: Path, lock: Lock, listener: Listener, fetch: Fetch) -> None:
    task, total = f"download {lock.folder}", lock.total_bytes
    done = total - sum(file.size_bytes for file in missing)
    for file in sorted(missing, key=lambda file: file.size_bytes):  # a wrong hub fails before the large ones

        def report(event: Progress, before: int = done) -> None:
            detail = f"{event.task}, {event.detail}" if event.detail else event.task
            listener(Progress(task=task, done=before + event.done, total=total, unit="bytes", detail=detail))

        fetch(lock, file, partial, report)
        _accept(file, partial, report)
        done += file.size_bytes


def _is_correct(file: LockedFile, partial: Path, listener: Listener) -> bool:
    """Whether an earlier download left the correct file; a wrong one is deleted."""
    if size_mismatch(partial, file) is None:

        def hashed(done: int) -> None:
            listener(Progress(task=f"check {file.name}", done=done, total=file.size_bytes, unit="bytes"))

        if sha256_mismatch(partial, file, hashed) is None:
            return True
    (partial / file.name).unlink(missing_ok=True)
    return False


def _require_space(missing: list[LockedFile], partial: Path, margin_bytes: int) -> None:
    needed = sum(file.size_bytes for file in missing)
    present = sum(present_bytes(incomplete(partial, file.name)) for file in missing)
    if needed:
        require_free_space(
            partial.parent, needed - present, margin_bytes, purpose="the download", option="--to", error=ModelError
        )


def _accept(file: LockedFile, partial: Path, listener: Listener) -> None:
    path = partial / file.name
    listener(Progress(task=file.name, done=file.size_bytes, total=file.size_bytes, unit="bytes", detail="checking"))
    wrong = size_mismatch(partial, file)
    if wrong is None and known_sha256(path) != file.sha256:  # else it was hashed as it arrived
        wrong = sha256_mismatch(partial, file)
    if wrong is not None:
        path.unlink(missing_ok=True)
        raise ModelError(
            f"{wrong}. It was deleted.",
            next="Run the same command again; if the file is wrong again, try another --endpoint or --source.",
        )
    with path.open("rb") as stream:
        os.fsync(stream.fileno())  # so that a power cut cannot lose what was checked


def _move_into_place(wanted: list[LockedFile], partial: Path, target: Path) -> None:
    """Moves the fetched files to the target."""
    _clean_partial(partial, {file.name for file in wanted} | {LOCK_NAME})
    if not target.is_dir():
        partial.rename(target)  # with the lock in it, so that no other download starts in between
        (target / LOCK_NAME).unlink()
        return
    for file in sorted(wanted, key=lambda file: file.name == "config.json"):
        place = target / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        (partial / file.name).replace(place)
    shutil.rmtree(partial)


def _clean_partial(partial: Path, keep: set[str]) -> None:
    for path in sorted(partial.rglob("*"), reverse=True):  # a folder after its contents
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.is_file() and path.relative_to(partial).as_posix() not in keep:
            path.unlink()
