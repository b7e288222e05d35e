"""Where locked files come from: a hub or its mirror, a registry, or a folder. The lock decides, so all are equal.

A registry has each file as a blob whose digest is the lock's sha256, which is how `oras push` and ModelPack's tools
store files; no manifest is read. (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-blobs)
"""

import hashlib
import re
import threading
import time
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path

from toolkit.core.errors import ConfigError, ModelError
from toolkit.core.events import Listener, Progress
from toolkit.core.file_stats import remember_sha256
from toolkit.core.files import BLOCK_BYTES
from toolkit.core.network_environment import require_usable_network
from toolkit.model.hub.failures import size_failure
from toolkit.model.hub.fetch import Fetch, Source, fetch_from, fetch_url, hf_trouble, incomplete, translated_errors
from toolkit.model.lock import Lock, LockedFile

# Plain HTTP is for registries of a private network.
REGISTRY = re.compile(r"oci(?:\+(http))?://([\w.\-]+(?::\d{1,5})?)/([a-z0-9][a-z0-9._/\-]*)", re.ASCII)
FRESH_S = 45.0  # of a token: the specification's shortest life is 60 s
TIMEOUT_S = 10.0


def fetch_from_place(source: Source, place: str | None) -> Fetch:
    """A function that fetches a file into a folder. `place`: a mirror's URL, oci://HOST/NAME, a folder; None: the hub.

    Raises ConfigError for anything else.
    """
    if place is not None and Path(place).is_dir():
        return partial(_fetch_from_folder, place=Path(place))
    if place is not None and place.startswith(("oci://", "oci+http://")):
        return partial(_fetch_from_registry, blobs=_blobs(place))
    return fetch_from(source, place)


def lists_files(place: str | None) -> bool:
    """Whether a model without a lock can be looked up there."""
    return place is None or place.startswith(("https://", "http://"))


def _blobs(place: str) -> str:
    """The URL that the blobs of a repository begin with."""
    found = REGISTRY.fullmatch(place.rstrip("/"))
    if found is None:
        raise ConfigError(f'"{place}" is not a repository of a registry.', next="Write oci://HOST/NAME, without a tag.")
    plain, host, name = found.groups()
    return f"{plain or 'https'}://{host}/v2/{name}/blobs/sha256:"


def _fetch_from_registry(lock: Lock, file: LockedFile, folder: Path, listener: Listener, *, blobs: str) -> None:
    url = f"{blobs}{file.sha256}"
    require_usable_network(url, "httpx")
    with translated_errors(hf_trouble, lock, file, incomplete(folder, file.name)):
        fetch_url(url, _Token(url).headers, file, folder, listener)


class _Token:
    """What a registry gives to anyone for a public repository; it ends within minutes, a download may not."""

    def __init__(self, url: str) -> None:
        self._url, self._until, self._headers = url, 0.0, dict[str, str]()
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        with self._lock:
            if time.monotonic() > self._until:
                self._headers, self._until = _authorization(self._url), time.monotonic() + FRESH_S
            return self._headers


def _authorization(url: str) -> dict[str, str]:
    """Raises ModelError where the registry requires a login, and the client's own errors."""
    from huggingface_hub.utils import get_session, hf_raise_for_status

    response = get_session().head(url, follow_redirects=False, timeout=TIMEOUT_S)
    challenge = response.headers.get("WWW-Authenticate", "")
    if response.status_code != HTTPStatus.UNAUTHORIZED:
        if not response.is_redirect:
            hf_raise_for_status(response)
        return {}
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = fields.pop("realm", "")
    if not challenge.lower().startswith("bearer ") or not realm.startswith(("https://", "http://")):
        raise _login_failure(url)
    given = get_session().get(realm, params=fields, timeout=TIMEOUT_S)
    if given.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise _login_failure(url)
    hf_raise_for_status(given)
    answer = given.json()
    return {"Authorization": f"Bearer {answer.get('token') or answer.get('access_token')}"}


def _login_failure(url: str) -> ModelError:
    return ModelError(
        f"{url.partition('/blobs/')[0]} is not public, and a login is not sent.",
        next="Make the repository public, or pull the files with oras or docker's tools and name their folder.",
    )


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
