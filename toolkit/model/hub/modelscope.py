"""ModelScope beside the Hugging Face hub: the lock of any model there, and uploads.

Only modelscope_hub reads the token. A lock's failures are ModelErrors, as a download's; an upload's RegistryErrors.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from toolkit.core import environment
from toolkit.core.errors import ModelError, RegistryError
from toolkit.core.network_environment import require_usable_network
from toolkit.model.hub.failures import push_failure
from toolkit.model.hub.fetch import MODELSCOPE, MODELSCOPE_REVISION, modelscope_trouble, translated_errors
from toolkit.model.hub.listing import WANTED, WEIGHTS, plain_name
from toolkit.model.hub.upload import Remote, Uploaded
from toolkit.model.lock import Lock, LockedFile

KIND = "model"
PUBLIC = 5  # of a repository's Visibility; 1 is private
HOW_TO_LOG_IN = 'Log in with "modelscope login", or set MODELSCOPE_API_TOKEN to an access token.'


def modelscope_lock(repository: str, endpoint: str | None) -> Lock:
    """The newest files, as ModelScope lists them, each with its sha256. Raises ModelError, as a download does.

    The revision is that of the file which changed last: ModelScope's list does not name the branch's own.
    """
    lock = Lock(
        name=plain_name(repository), folder=repository.partition("/")[2], repository=repository, revision="",
        licence="", files=(),
    )  # fmt: skip
    whole = LockedFile(name="the list of files", size_bytes=0, sha256="")
    with TemporaryDirectory() as folder, translated_errors(modelscope_trouble, lock, whole, Path(folder) / "list"):
        api = _api(endpoint)
        listed = _blobs(api, repository)
        licence = str(api.legacy.get_repo_info(repository, KIND).get("License") or "unknown: see the repository")
    files = tuple(
        LockedFile(name=one["Path"], size_bytes=int(one["Size"]), sha256=str(one["Sha256"]))
        for one in listed if WANTED.fullmatch(one["Path"])
    )  # fmt: skip
    if not any(file.name.endswith(WEIGHTS) for file in files):
        raise ModelError(
            f"{repository} has no safetensors weights.",
            next="Use a safetensors version of this model: pickled weights can run code on load.",
        )
    return Lock(**{**vars(lock), "revision": _newest(listed), "licence": licence, "files": files})


def require_token() -> None:
    """Raises RegistryError if no user is logged in."""
    if not _api(None).legacy.token:
        raise RegistryError("A push needs a token, and there is none.", next=HOW_TO_LOG_IN)


def find_remote(repository: str, endpoint: str | None = None) -> Remote | None:
    """The repository, or None if it does not exist or is not visible to this user."""
    from modelscope_hub import errors

    api = _api(endpoint)
    with _translated(repository, "look up"):
        try:
            info = api.legacy.get_repo_info(repository, KIND)
        except errors.NotExistError:
            return None
        listed = _blobs(api, repository)
    files = frozenset(str(one["Path"]) for one in listed)
    return Remote(private=int(info.get("Visibility") or 0) != PUBLIC, files=files, commit=_newest(listed))


def upload(
    files: Mapping[str, Path],
    repository: str,
    *,
    remote: Remote | None,
    private: bool,
    message: str,
    outdated: frozenset[str] = frozenset(),
    endpoint: str | None = None,
) -> Uploaded:
    """Uploads `files`, which lie in one folder under their names, creating the repository if `remote` is None.

    `outdated` files are deleted. Raises RegistryError.
    """
    api = _api(endpoint)
    if remote is None:
        with _translated(repository, "create"):
            api.create_repo(repository, KIND, visibility="private" if private else "public")
    (folder,) = {path.parent for path in files.values()}
    with _translated(repository, "push to"):
        api.upload_folder(
            repository, KIND, folder, commit_message=message, allow_patterns=sorted(files), use_cache=False,
            disable_tqdm=True,
        )  # fmt: skip
        if outdated:
            api.delete_files(repository, KIND, sorted(outdated), commit_message=message)
        commit = _newest(_blobs(api, repository))
    fresh = remote is None or commit != remote.commit
    address = f"{api.legacy.endpoint}/models/{repository}"
    return Uploaded(repository=repository, commit=commit, url=address, fresh=fresh)


def _api(endpoint: str | None) -> Any:
    environment.quiet_modelscope()
    require_usable_network(endpoint or MODELSCOPE, "requests")
    from modelscope_hub import HubApi
    from modelscope_hub.config import HubConfig

    logging.getLogger("modelscope_hub").setLevel(logging.ERROR)  # it tells of each of its steps
    return HubApi(HubConfig(), endpoint=endpoint)  # not its cached one, whose token may be that of before a login


def _blobs(api: Any, repository: str) -> list[Mapping[str, Any]]:
    """The files of the branch, as the hub lists them: Path, Size, Sha256, Revision, CommittedDate."""
    listed = api.legacy.list_repo_files(repository, KIND, revision=MODELSCOPE_REVISION)
    return [one for one in listed if one.get("Type") != "tree"]


def _newest(listed: list[Mapping[str, Any]]) -> str:
    """The revision of the file that was committed last; "" without files."""
    last = max(listed, key=lambda one: int(one.get("CommittedDate") or 0), default={})
    return str(last.get("Revision") or "")


@contextmanager
def _translated(repository: str, action: str) -> Iterator[None]:
    """Within, every exception becomes a RegistryError."""
    from modelscope_hub import errors

    try:
        yield
    except errors.NotExistError as error:
        raise push_failure(HTTPStatus.NOT_FOUND, error, repository, action) from error
    except Exception as error:
        raise push_failure(modelscope_trouble(error), error, repository, action) from error
