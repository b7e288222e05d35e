"""Errors for failed downloads and pushes: what failed, why, what to do next. Imports no hub's client."""

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
HOW_TO_LOG_IN = 'Log in with "hf auth login", or set HF_TOKEN to a token with write access.'
AGAIN = "Run the same command again: it resumes where it stopped."
OUTDATED = "The mirror may be out of date."
ELSEWHERE = "Try another --endpoint or --source."
PUSH_AGAIN = "Run the same command again: files that have arrived are not sent twice."
OTHER_WAYS = (
    "Check the network, name a mirror with --endpoint URL (or HF_ENDPOINT), choose the other hub with --source, "
    'or copy the folder from another machine and check it with "toolkit verify DIR".'
)


def size_failure(file: LockedFile, offered_bytes: int) -> ModelError:
    return ModelError(
        f"{file.name}: the hub offers {offered_bytes} bytes, the lock says {file.size_bytes}.",
        next=f"It has another file under this name. {ELSEWHERE}",
    )


def restart_failure(file: LockedFile, times: int) -> ModelError:
    return ModelError(f"{file.name}: the hub cut the download {times} times and cannot resume it.", next=ELSEWHERE)


def failure(trouble: Trouble | None, error: Exception, lock: Lock, file: LockedFile, partial: Path) -> ModelError:
    """The error to raise for `trouble`; without one, for the error of the disk or the client itself."""
    if isinstance(trouble, int):
        return _status_failure(trouble, lock, file)
    if trouble is None:
        if isinstance(error, OSError):
            return _disk_failure(error, file, partial)
        return ModelError(f"{file.name} was not fetched: {type(error).__name__}: {first_line(error)}.", next=ELSEWHERE)
    what, remedy = {
        "offline": (
            "HF_HUB_OFFLINE is set, so the hub was not contacted",
            "Unset it, or copy the folder from another machine.",
        ),
        "revision": (
            f"{lock.repository} has no revision {lock.revision} there",
            f"{OUTDATED} {ELSEWHERE}",
        ),
        "timeout": ("the hub did not answer in time", f"{AGAIN} {OTHER_WAYS}"),
        "unreachable": (f"the hub cannot be reached ({_reason(error)})", OTHER_WAYS),
        "bytes": (f"the hub sent bytes that do not match its own hash or the lock ({first_line(error)})", ELSEWHERE),
    }[trouble]
    return ModelError(f"{file.name}: {what}.", next=remedy)


def push_failure(trouble: Trouble | None, error: Exception, repository: str, action: str) -> RegistryError:
    """The error for a failed push; `action`: look up, create, push to."""
    owner = repository.partition("/")[0]
    reasons: dict[Trouble | None, tuple[str, str]] = {
        HTTPStatus.UNAUTHORIZED: ("the hub does not accept your token (401)", HOW_TO_LOG_IN),
        HTTPStatus.FORBIDDEN: (
            "your token is not allowed to do that (403)",
            f"Is {owner} your account or organization, and does the token have write access?",
        ),
        HTTPStatus.NOT_FOUND: ("it does not exist, or you have no access (404)", f"Is {owner} the right name?"),
        HTTPStatus.CONFLICT: ("someone else is changing it (409)", PUSH_AGAIN),
        HTTPStatus.PRECONDITION_FAILED: ("someone else pushed to it in the meantime (412)", PUSH_AGAIN),
        HTTPStatus.TOO_MANY_REQUESTS: ("too many requests (429)", f"Wait a moment. {PUSH_AGAIN}"),
        "offline": ("HF_HUB_OFFLINE is set, so the hub was not contacted", "Unset it."),
        "timeout": ("the hub did not answer in time", PUSH_AGAIN),
        "unreachable": (
            f"the hub cannot be reached ({_reason(error)})",
            "Check the network and the endpoint (--endpoint or HF_ENDPOINT).",
        ),
    }
    answer = (
        f"the hub answered {trouble}" if isinstance(trouble, int) else f"{type(error).__name__}: {first_line(error)}"
    )
    what, remedy = reasons.get(trouble, (answer, PUSH_AGAIN))
    return RegistryError(f"Cannot {action} {repository}: {what}.", next=remedy)


def _status_failure(status: int, lock: Lock, file: LockedFile) -> ModelError:
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return ModelError(
            f"{file.name}: you have no access to {lock.repository} ({status}): it is gated, private or missing.",
            next="Accept its licence on the hub and set HF_TOKEN, or try another --endpoint.",
        )
    if status == HTTPStatus.NOT_FOUND:
        return ModelError(f"{file.name}: not found in {lock.repository} (404).", next=f"{OUTDATED} {ELSEWHERE}")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ModelError(f"{file.name}: too many requests (429).", next=f"Wait a moment. {AGAIN}")
    return ModelError(f"{file.name}: the hub answered {status}.", next=f"{AGAIN} {ELSEWHERE}")


def _disk_failure(error: OSError, file: LockedFile, partial: Path) -> ModelError:
    if error.errno == errno.ENOSPC:
        present_bytes = partial.stat().st_size if partial.exists() else 0
        free = shutil.disk_usage(partial.parent).free
        return ModelError(
            f"The disk is full: {file.name} needs {file.size_bytes - present_bytes} more bytes, "
            f"{free} are free in {partial.parent}.",
            next=f"Free some space, or name another folder with --to. {AGAIN}",
        )
    if error.errno is None:  # huggingface_hub's own check: the connection ended cleanly at another size
        partial.unlink(missing_ok=True)
        return ModelError(f"{file.name}: the hub did not send the {file.size_bytes} bytes of the lock.", next=AGAIN)
    return ModelError(
        f"{file.name} cannot be written to {partial.parent}: {error.strerror}.",
        next="Name another folder with --to.",
    )


def _reason(error: Exception) -> str:
    """The operating system's own words, without what the clients wrap around them."""
    found = re.search(r"\[Errno -?\d+\] ([^'\")\]]+)", str(error))
    return found[1] if found else first_line(error)
