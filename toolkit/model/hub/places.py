"""Where locked files come from: a hub or its mirror, a registry, or a folder. The lock decides, so all are equal."""

import hashlib
from functools import partial
from pathlib import Path

from toolkit.core.errors import ModelError
from toolkit.core.events import Listener, Progress
from toolkit.core.file_stats import remember_sha256
from toolkit.core.files import BLOCK_BYTES
from toolkit.core.network_environment import require_usable_network
from toolkit.model.hub.failures import size_failure
from toolkit.model.hub.fetch import Fetch, Source, fetch_from, fetch_url, hf_trouble, incomplete, translated_errors
from toolkit.model.hub.registry import Authorization, Repository
from toolkit.model.lock import Lock, LockedFile


def fetch_from_place(source: Source, place: str | None) -> Fetch:
    """A function that fetches a file into a folder. `place`: a mirror's URL, oci://HOST/NAME, a folder; None: the hub.

    Raises ConfigError for anything else.
    """
    if place is not None and Path(place).is_dir():
        return partial(_fetch_from_folder, place=Path(place))
    if place is not None and place.startswith(("oci://", "oci+http://")):
        return partial(_fetch_from_registry, repository=Repository.named(place))
    return fetch_from(source, place)


def lists_files(place: str | None) -> bool:
    """Whether a model without a lock can be looked up there."""
    return place is None or place.startswith(("https://", "http://"))


def _fetch_from_registry(
    lock: Lock, file: LockedFile, folder: Path, listener: Listener, *, repository: Repository
) -> None:
    url = repository.blob(file.sha256)
    require_usable_network(url, "httpx")
    with translated_errors(hf_trouble, lock, file, incomplete(folder, file.name)):
        fetch_url(url, Authorization(repository=repository, url=url).headers, file, folder, listener)


def _fetch_from_folder(lock: Lock, file: LockedFile, folder: Path, listener: Listener, *, place: Path) -> None:
    """Copies, and hashes what it copies; goes on after what an earlier copy left."""
    origin, arriving = place / file.name, incomplete(folder, file.name)
    if not origin.is_file():
        raise ModelError(f"{place} has no {file.name} of {lock.folder}.", next="Name another folder with --endpoint.")
    if (size := origin.stat().st_size) != file.size_bytes:
        raise size_failure(file, size)
    digest = hashlib.sha256()
    with (
        translated_errors(lambda _: None, lock, file, arriving),
        origin.open("rb", buffering=0) as source,
        arriving.open("a+b", buffering=0) as target,
    ):
        target.seek(0)
        while block := target.read(BLOCK_BYTES):
            digest.update(block)
        source.seek(target.tell())
        while block := source.read(BLOCK_BYTES):
            digest.update(block)
            target.write(block)
            listener(Progress(task=file.name, done=target.tell(), total=file.size_bytes, unit="bytes"))
    arriving.replace(folder / file.name)
    remember_sha256(folder / file.name, digest.hexdigest())
