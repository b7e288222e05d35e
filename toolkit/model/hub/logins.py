"""The login that `docker login` or `oras login` stored for a registry: in Docker's config.json, or with its helper.

A helper is a program that Docker's config.json names, and its owner has installed.
(https://github.com/docker/docker-credential-helpers)
"""

import base64
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.core.documents import read_json
from toolkit.core.errors import ConfigError, first_line
from toolkit.core.network_environment import docker_folder
from toolkit.core.text import printable

HELPER_S = 60.0  # it may ask its user to unlock a keychain
NOT_FOUND = "credentials not found"  # docker-credential-helpers, credentials/error.go
TOKEN_USER = "<token>"  # noqa: S105  # the user name under which helpers keep an identity token
HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
HUB_LOGIN = "https://index.docker.io/v1/"  # under which Docker stores the login for its own hub
PROGRAM = re.compile(r"[\w.\-]+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Login:
    """User and password, or the identity token (an OAuth 2 refresh token) that some registries issue instead."""

    user: str = ""
    password: str = field(default="", repr=False)  # tracebacks and logs show reprs
    identity_token: str = field(default="", repr=False)

    @property
    def header(self) -> dict[str, str]:
        """Empty for an identity token, which only a token server takes."""
        if not self.user:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()}


def find_login(host: str) -> Login | None:
    """The stored login for the registry `host` (with its port); None without one.

    Raises ConfigError for a file that cannot be read, and for a helper that fails; no message quotes a login.
    """
    path = docker_folder() / "config.json"
    try:
        content = read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"Docker's {path} cannot be read: {error}.", next="Correct it, or log in again.") from None
    try:
        helper = (content.get("credHelpers") or {}).get(_named(host)) or content.get("credsStore")
        if helper and (login := _ask_helper(helper, host)) is not None:
            return login
        return _stored(content.get("auths") or {}, host)
    except (AttributeError, TypeError, ValueError):
        raise ConfigError(f"Docker's {path} has a malformed login.", next="Remove it, and log in again.") from None


def _stored(auths: Mapping[str, Any], host: str) -> Login | None:
    """From the file itself. Its keys are hosts, or URLs of them."""
    entry = next((entry for name, entry in auths.items() if _host_of(name) == _host_of(_named(host))), None) or {}
    if token := entry.get("identitytoken"):
        return Login(identity_token=str(token))
    pair = base64.b64decode(entry.get("auth") or "", validate=True).decode()
    user, _, password = pair.rstrip("\0").partition(":")
    return Login(user=user, password=password) if user and password else None


def _named(host: str) -> str:
    return HUB_LOGIN if host in HUB_HOSTS else host


def _host_of(name: str) -> str:
    return re.sub(r"https?://", "", name).partition("/")[0]


def _ask_helper(name: str, host: str) -> Login | None:
    if not PROGRAM.fullmatch(name):
        raise ValueError(name)
    program = f"docker-credential-{name}"
    try:
        done = subprocess.run(
            [program, "get"], input=_named(host).encode(), capture_output=True, check=False, timeout=HELPER_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _helper_error(program, first_line(error)) from None
    if done.returncode:
        output = (done.stdout or done.stderr).decode(errors="replace")
        if NOT_FOUND in output.lower():
            return None
        raise _helper_error(
            program, printable(output.strip().partition("\n")[0])[:200] or f"exit code {done.returncode}"
        )
    try:
        answer = json.loads(done.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, LookupError, TypeError, RecursionError):
        raise _helper_error(program, "it answered with something that is not a login") from None
    if not secret:
        return None
    return Login(identity_token=secret) if user == TOKEN_USER else Login(user=user, password=secret)


def _helper_error(program: str, why: str) -> ConfigError:
    return ConfigError(
        f"Docker's credential helper {program} failed: {why}.",
        next="Repair it, or remove it from credsStore and credHelpers in Docker's config.json, and log in again.",
    )
