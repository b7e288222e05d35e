"""Uploads a folder's files to a repository on the Hugging Face hub, as one commit. Every failure is a RegistryError.

The token comes from `hf auth login` or HF_TOKEN; only huggingface_hub reads it, and no message shows it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from toolkit.core.errors import RegistryError
from toolkit.core.network_environment import require_usable_network
from toolkit.model.hub.failures import HOW_TO_LOG_IN, push_failure
from toolkit.model.hub.fetch import hf_trouble

LOOK_UP = "look up"


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A repository on the hub; `commit` is its latest."""

    private: bool
    files: frozenset[str]
    commit: str


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """`fresh` is False if the hub already had every file."""

    repository: str
    commit: str
    url: str
    fresh: bool


def require_token() -> None:
    """Raises RegistryError if no user is logged in."""
    from huggingface_hub import get_token

    if get_token() is None:
        raise RegistryError("A push needs a token, and there is none.", next=HOW_TO_LOG_IN)


def find_remote(repository: str, endpoint: str | None = None) -> Remote | None:
    """The repository, or None if it does not exist or is not visible to this user. One request, without retries."""
    from huggingface_hub.errors import RepositoryNotFoundError

    api = _api(endpoint)
    with translated_errors(repository, LOOK_UP):
        try:
            info = api.model_info(repository, timeout=10)
        except RepositoryNotFoundError:
            return None
    files = frozenset(one.rfilename for one in info.siblings or ())
    return Remote(private=bool(info.private), files=files, commit=str(info.sha))


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
    """Uploads `files` by their names there, creating the repository if `remote` is None.

    `outdated` files are deleted in the same commit. Raises RegistryError.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    api = _api(endpoint)
    if remote is None:
        with translated_errors(repository, "create"):
            api.create_repo(repository, private=private)
    operations: list[Any] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(path)) for name, path in files.items()
    ]
    operations += [CommitOperationDelete(path_in_repo=name) for name in sorted(outdated)]
    with translated_errors(repository, "push to"), _over_plain_http():
        done = api.create_commit(
            repository, operations, commit_message=message, parent_commit=None if remote is None else remote.commit
        )
    fresh = remote is None or done.oid != remote.commit
    return Uploaded(repository=repository, commit=str(done.oid), url=f"{api.endpoint}/{repository}", fresh=fresh)


def _api(endpoint: str | None) -> Any:
    from huggingface_hub import HfApi, constants
    from huggingface_hub.utils import disable_progress_bars, logging

    require_usable_network(endpoint or constants.ENDPOINT, "httpx")
    logging.set_verbosity_error()  # it would print "No files have been modified"
    disable_progress_bars()
    return HfApi(endpoint=endpoint, library_name="toolkit")


@contextmanager
def _over_plain_http() -> Iterator[None]:
    """Without Xet, as downloads: mirrors do not support it. The variable is read at import, which may be over."""
    from huggingface_hub import constants

    before, constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_XET, True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = before


@contextmanager
def translated_errors(repository: str, action: str) -> Iterator[None]:
    """Within, every exception becomes a RegistryError, but a repository that is not found when it is looked up."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        yield
    except RepositoryNotFoundError as error:
        if action == LOOK_UP:
            raise
        raise push_failure(HTTPStatus.NOT_FOUND, error, repository, action) from error
    except Exception as error:
        inner = error.__cause__ if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception) else error
        raise push_failure(hf_trouble(inner), inner, repository, action) from error
