"""How a hub's troubles are told, of a download or a push: what failed, why, what to do next. Knows no client."""

import errno
import re
import shutil
from http import HTTPStatus
from pathlib import Path
from typing import Literal

from toolkit.core.errors import ModelError, RegistryError, first_line
from toolkit.model.lock import Lock, LockedFile

# An int is an HTTP status.
Trouble = Literal["offline", "revision", "timeout", "unreachable", "bytes"] | int
HOW_TO_LOG_IN = 'Log in with "hf auth login", or set HF_TOKEN to a token that may write.'
AGAIN = "Run the same command again: it goes on where it stopped."
ELSEWHERE = "Try another --endpoint or --source."
PUSH_AGAIN = "Run the same command again: what has arrived is not sent again."
OTHER_WAYS = (
    "Check the network, name a mirror with --endpoint URL (or HF_ENDPOINT), choose the other hub with --source, "
    'or copy the folder from another machine and hold it against its lock with "toolkit verify".'
)


def size_failure(file: LockedFile, offered_bytes: int) -> ModelError:
    return ModelError(
        f"{file.name}: the hub offers {offered_bytes} bytes, the lock says {file.size_bytes}.",
        next=f"It holds another file under this name. {ELSEWHERE}",
    )


def restart_failure(file: LockedFile, times: int) -> ModelError:
    return ModelError(f"{file.name}: the hub cut it {times} times and cannot go on where it stopped.", next=ELSEWHERE)


def failure(trouble: Trouble | None, error: Exception, lock: Lock, file: LockedFile, arriving: Path) -> ModelError:
    """The error that tells of `trouble`; where that is None, of what the disk or the client said."""
    if isinstance(trouble, int):
        return _status_failure(trouble, lock, file)
    if trouble is None:
        if isinstance(error, OSError):
            return _disk_failure(error, file, arriving)
        return ModelError(f"{file.name} was not fetched: {type(error).__name__}: {first_line(error)}.", next=ELSEWHERE)
    what, remedy = {
        "offline": (
            "HF_HUB_OFFLINE is set, so nothing was asked",
            "Unset it, or copy the folder from another machine.",
        ),
        "revision": (f"{lock.repository} has no revision {lock.revision} there", f"It may lag behind. {ELSEWHERE}"),
        "timeout": ("the hub did not answer in time", f"{AGAIN} {OTHER_WAYS}"),
        "unreachable": (f"the hub cannot be reached ({_reason(error)})", OTHER_WAYS),
        "bytes": (f"the hub sends other bytes than it or the lock says ({first_line(error)})", ELSEWHERE),
    }[trouble]
    return ModelError(f"{file.name}: {what}.", next=remedy)


def push_failure(trouble: Trouble | None, error: Exception, repository: str, doing: str) -> RegistryError:
    """A push that came to nothing; `doing`: look up, create, push to."""
    owner = repository.partition("/")[0]
    told: dict[Trouble | None, tuple[str, str]] = {
        HTTPStatus.UNAUTHORIZED: ("the hub does not know your token (401)", HOW_TO_LOG_IN),
        HTTPStatus.FORBIDDEN: (
            "your token may not do that there (403)",
            f"Is {owner} you, or an organization of yours, and may the token write?",
        ),
        HTTPStatus.NOT_FOUND: ("it is not there, or not for you to see (404)", f"Is {owner} the right name?"),
        HTTPStatus.CONFLICT: ("somebody else is changing it (409)", PUSH_AGAIN),
        HTTPStatus.PRECONDITION_FAILED: ("somebody else pushed to it in the meantime (412)", PUSH_AGAIN),
        HTTPStatus.TOO_MANY_REQUESTS: ("the hub is asked too often (429)", f"Wait a little. {PUSH_AGAIN}"),
        "offline": ("HF_HUB_OFFLINE is set, so nothing was asked", "Unset it."),
        "timeout": ("the hub did not answer in time", PUSH_AGAIN),
        "unreachable": (
            f"the hub cannot be reached ({_reason(error)})",
            "Check the network and the endpoint (--endpoint, else HF_ENDPOINT).",
        ),
    }
    words = (
        f"the hub answered {trouble}" if isinstance(trouble, int) else f"{type(error).__name__}: {first_line(error)}"
    )
    what, remedy = told.get(trouble, (words, PUSH_AGAIN))
    return RegistryError(f"Cannot {doing} {repository}: {what}.", next=remedy)


def _status_failure(status: int, lock: Lock, file: LockedFile) -> ModelError:
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return ModelError(
            f"{file.name}: {lock.repository} is closed to you ({status}); it is gated, private, or not there.",
            next="Accept its licence on the hub and set HF_TOKEN, or try another --endpoint.",
        )
    if status == HTTPStatus.NOT_FOUND:
        return ModelError(f"{file.name}: not found in {lock.repository} (404).", next=f"It may lag behind. {ELSEWHERE}")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ModelError(f"{file.name}: the hub is asked too often (429).", next=f"Wait a little. {AGAIN}")
    return ModelError(f"{file.name}: the hub answered {status}.", next=f"{AGAIN} {ELSEWHERE}")


def _disk_failure(error: OSError, file: LockedFile, arriving: Path) -> ModelError:
    if error.errno == errno.ENOSPC:
        here = arriving.stat().st_size if arriving.exists() else 0
        free = shutil.disk_usage(arriving.parent).free
        return ModelError(
            f"The disk is full: {file.name} needs {file.size_bytes - here} more bytes, "
            f"{free} are free in {arriving.parent}.",
            next=f"Make room, or name another folder with --to. {AGAIN}",
        )
    if error.errno is None:  # huggingface_hub's own check: a clean end at another size
        arriving.unlink(missing_ok=True)
        return ModelError(f"{file.name}: the hub sent other than the lock's {file.size_bytes} bytes.", next=AGAIN)
    return ModelError(
        f"{file.name} cannot be written to {arriving.parent}: {error.strerror}.", next="Name another folder with --to."
    )


def _reason(error: Exception) -> str:
    """What the system said, out of the layers that clients wrap around it."""
    said = re.search(r"\[Errno -?\d+\] ([^'\")\]]+)", str(error))
    return said[1] if said else first_line(error)
