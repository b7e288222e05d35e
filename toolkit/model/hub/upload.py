"""Puts a folder's files into a repository on the Hugging Face hub, as one commit. Failures leave as RegistryError.

The token is the one of `hf auth login` or HF_TOKEN; it is handed to nobody but huggingface_hub, and never told.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from toolkit.core.errors import RegistryError
from toolkit.model.hub.failures import HOW_TO_LOG_IN, push_failure
from toolkit.model.hub.fetch import hf_trouble

LOOK_UP = "look up"


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A repository as the hub has it; `commit` is its newest."""

    private: bool
    files: frozenset[str]
    commit: str


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """`fresh` is False where the hub had all of it already."""

    repository: str
    commit: str
    url: str
    fresh: bool


def require_token() -> None:
    """Raises RegistryError where nobody is logged in."""
    from huggingface_hub import get_token

    if get_token() is None:
        raise RegistryError("The hub wants to know who you are, and no token is here.", next=HOW_TO_LOG_IN)


def find_remote(repository: str, endpoint: str | None = None) -> Remote | None:
    """None where the hub has none of that name, or none that you may see. One look, without retries."""
    from huggingface_hub.errors import RepositoryNotFoundError

    with _told(repository, LOOK_UP):
        try:
            info = _api(endpoint).model_info(repository, timeout=10)
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
    """Makes the repository where `remote` is None; `outdated` files of it go in the same commit."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    api = _api(endpoint)
    if remote is None:
        with _told(repository, "create"):
            api.create_repo(repository, private=private)
    operations: list[Any] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(path)) for name, path in files.items()
    ]
    operations += [CommitOperationDelete(path_in_repo=name) for name in sorted(outdated)]
    with _told(repository, "push to"), _over_plain_http():
        done = api.create_commit(
            repository, operations, commit_message=message, parent_commit=None if remote is None else remote.commit
        )
    fresh = remote is None or done.oid != remote.commit
    return Uploaded(repository=repository, commit=str(done.oid), url=f"{api.endpoint}/{repository}", fresh=fresh)


def _api(endpoint: str | None) -> Any:
    from huggingface_hub import HfApi
    from huggingface_hub.utils import disable_progress_bars, logging

    logging.set_verbosity_error()  # "No files have been modified" is ours to tell
    disable_progress_bars()
    return HfApi(endpoint=endpoint, library_name="toolkit")


@contextmanager
def _over_plain_http() -> Iterator[None]:
    """As downloads go: one way for the hub and for its mirrors. The flag is read at import, which may be past."""
    from huggingface_hub import constants

    before, constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_XET, True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = before


@contextmanager
def _told(repository: str, doing: str) -> Iterator[None]:
    """What huggingface_hub raises, and it raises much, leaves as RegistryError."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        yield
    except RepositoryNotFoundError as error:
        if doing == LOOK_UP:
            raise
        raise push_failure(HTTPStatus.NOT_FOUND, error, repository, doing) from error
    except Exception as error:
        inner = error.__cause__ if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception) else error
        raise push_failure(hf_trouble(inner), inner, repository, doing) from error
