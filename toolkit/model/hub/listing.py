"""The lock of any model on the Hugging Face hub: the files that a base model needs, at one revision.

Large files come with their sha256. Others are fetched once, and compared with git's own hash of them.
"""

import hashlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.core.errors import ModelError
from toolkit.core.events import Listener
from toolkit.core.files import file_sha256
from toolkit.core.network_environment import require_usable_network
from toolkit.model.hub.fetch import fetch_from, hf_trouble, translated_errors
from toolkit.model.lock import Lock, LockedFile

# In the repository's own folder: what transformers loads, and what must stay with the weights. Mistral's consolidated
# weights are the same once more, in a form of its own.
WANTED = re.compile(r"(?!consolidated)[^/]+\.(safetensors|json|jinja|model|txt)|(LICEN[CS]E|NOTICE|USE_POLICY)[^/]*")
WEIGHTS = ".safetensors"
LATEST = "main"


def repository_lock(repository: str, revision: str | None, endpoint: str | None, listener: Listener) -> Lock:
    """`revision`: a branch, a tag or a commit; None: the newest. Raises ModelError, as a download does."""
    lock = Lock(
        name=plain_name(repository), folder=repository.partition("/")[2], repository=repository,
        revision=revision or LATEST, licence="", files=(),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        found = _listed(lock, endpoint, Path(folder))
        at = Lock(**{**vars(lock), "revision": str(found.sha), "licence": _licence(found)})
        files = tuple(_files(at, found.siblings or [], endpoint, Path(folder), listener))
    if not any(file.name.endswith(WEIGHTS) for file in files):
        raise ModelError(
            f"{repository} has no safetensors weights.",
            next="Use a safetensors version of this model: pickled weights can run code on load.",
        )
    return Lock(**{**vars(at), "files": files})


def plain_name(repository: str) -> str:
    """The lock's name: as the shipped ones, the repository's own in small letters."""
    return repository.partition("/")[2].lower()


def _listed(lock: Lock, endpoint: str | None, folder: Path) -> Any:
    from huggingface_hub import HfApi

    whole = LockedFile(name="the list of files", size_bytes=0, sha256="")
    api = HfApi(endpoint=endpoint, library_name="toolkit")
    require_usable_network(api.endpoint, "httpx")
    with translated_errors(hf_trouble, lock, whole, folder / "list"):
        return api.model_info(lock.repository, revision=lock.revision, files_metadata=True)


def _licence(found: Any) -> str:
    card = found.card_data
    return str((card.get("license") if card is not None else None) or "unknown: see the repository")


def _files(
    lock: Lock, siblings: list[Any], endpoint: str | None, folder: Path, listener: Listener
) -> Iterator[LockedFile]:
    fetch = fetch_from("hf", endpoint)
    for one in siblings:
        if not WANTED.fullmatch(one.rfilename):
            continue
        file = LockedFile(name=one.rfilename, size_bytes=int(one.size), sha256=one.lfs.sha256 if one.lfs else "")
        if not file.sha256:
            fetch(lock, file, folder, listener)
            _require_blob(folder / file.name, str(one.blob_id))
            file = LockedFile(**{**vars(file), "sha256": file_sha256(folder / file.name)})
        yield file


def _require_blob(path: Path, blob_id: str) -> None:
    """Raises ModelError unless git names the file's content so."""
    content = path.read_bytes()
    found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    if found != blob_id:
        raise ModelError(
            f"{path.name}: the hub sent other bytes than it lists.", next="Run the same command again, or try a mirror."
        )
