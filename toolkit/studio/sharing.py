"""What this machine has to sign and publish a run with. No key and no token is read here, typed or sent to a page.

A button names a key's file or a hub; the command that it starts reads the key, or the login, as it does in a terminal.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.errors import DataError, RegistryError
from toolkit.export.attestation.signing import default_key
from toolkit.export.push_to_hub import REPOSITORY, require_login
from toolkit.runs.own_comparison import own_comparison
from toolkit.runs.run import Run
from toolkit.studio.commands import HUBS, Arguments, Commands, Hub
from toolkit.studio.workspace import Workspace

KEY_SUFFIX = ".key"  # as `attest --new-key --key release.key` writes one
OWN_KEY = ""  # the one in the user's configuration, which needs no option
REPOSITORY_FIELD = "OWNER/NAME"
LOGINS: Mapping[Hub, str] = {"hf": "hf auth login", "modelscope": "modelscope login"}


@dataclass(frozen=True, kw_only=True)
class HubState:
    """`login`: the command that logs this machine in, `logged_in`: whether it is."""

    name: Hub
    login: str
    logged_in: bool
    command: Arguments


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """`passed`: by its figures the run may be pushed. `keys`: by the names that the buttons send."""

    keys: Sequence[str]
    compared: bool
    passed: bool
    hubs: Sequence[HubState]


def sharing(workspace: Workspace, commands: Commands, run: Run) -> Sharing:
    comparison = own_comparison(run).record
    return Sharing(
        keys=keys(workspace), compared=comparison is not None,
        passed=comparison is not None and comparison.verdict.passed,
        hubs=[HubState(name=hub, login=LOGINS[hub], logged_in=_is_logged_in(hub),
                       command=commands.push(run.run_id, REPOSITORY_FIELD, hub)) for hub in HUBS],
    )  # fmt: skip


def keys(workspace: Workspace) -> list[str]:
    """The private keys that can sign, by name: the user's own first, then the key files of the work folder."""
    own = [OWN_KEY] if default_key().is_file() else []
    found = (path for path in workspace.folder.iterdir() if path.suffix == KEY_SUFFIX)
    return own + sorted(path.name for path in found if _is_key_file(path))


def listed_key(workspace: Workspace, name: str) -> str:
    """Raises DataError for a key that is not listed: a request names no other file."""
    if name not in keys(workspace):
        raise DataError(f"There is no key {name!r} here.", next='Make one: "toolkit attest --new-key".')
    return name


def repository(text: str) -> str:
    """A repository's name, which cannot be an option either. Raises DataError."""
    if not REPOSITORY.fullmatch(text.strip()):
        raise DataError(f"{text!r} is not a repository's name.", next=f"Write {REPOSITORY_FIELD}.")
    return text.strip()


def _is_key_file(path: Path) -> bool:
    """A file of this folder itself, with a name that the command line takes."""
    return path.is_file() and not path.is_symlink() and path.name[0] not in "-." and os.access(path, os.R_OK)


def _is_logged_in(hub: Hub) -> bool:
    try:
        require_login(hub)
    except RegistryError:
        return False
    return True
