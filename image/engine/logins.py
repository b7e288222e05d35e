"""The logins that `docker login` stored, in its config.json or with a credential helper. Asks no engine."""

import json
import subprocess
from pathlib import Path
from typing import Any

from image.core.address import Login
from image.core.errors import ConfigError, EngineError, first_line
from image.core.text import printable

HELPER_S = 60.0  # a helper may ask its user to unlock a keychain
NOT_FOUND = "credentials not found"  # docker/docker-credential-helpers, credentials/error.go
TOKEN_USER = "<token>"  # noqa: S105  # the user name under which helpers keep an identity token


def find_login(registry: str) -> Login | None:
    """The login that `docker login` stored for `registry`; None if there is none.

    Raises ConfigError if Docker's config.json is unreadable or malformed, and EngineError if a credential helper fails.
    """
    import docker.auth

    config = _load()
    helper = config.get_credential_store(registry)
    if helper and (login := _ask_helper(str(helper), registry)) is not None:
        return login
    stored: dict[str, Any] = docker.auth.AuthConfig({"auths": config.auths}).resolve_authconfig(registry) or {}
    if token := stored.get("IdentityToken"):
        return Login(identity_token=str(token))
    return _login(stored.get("Username") or stored.get("username"), stored.get("Password") or stored.get("password"))


def check_logins() -> None:
    """Raises ConfigError if Docker's config.json is unreadable or malformed; the SDK would not even connect."""
    _load()


def check_login(reference: str) -> None:
    """Raises what `find_login` raises for an image's registry: the SDK would wait for a helper without an end."""
    import docker.auth

    find_login(docker.auth.resolve_repository_name(reference.partition("@")[0])[0])


def _load() -> Any:
    """docker.auth.AuthConfig. Raises ConfigError; the message never quotes a login."""
    import docker.auth
    from docker.errors import InvalidConfigFile

    path = _config_file()
    if path is None:
        return docker.auth.AuthConfig({})
    content = _read(path)
    try:
        _require_names(content)
        return docker.auth.load_config(config_dict=content) if content else docker.auth.AuthConfig({})
    except (InvalidConfigFile, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"Docker's {path} has a malformed login.",
            next='Remove that entry from its "auths", "credsStore" or "credHelpers", and log in again: docker login.',
        ) from error


def _require_names(content: dict[str, Any]) -> None:
    """Raises TypeError if the credential helpers are not names."""
    store, helpers = content.get("credsStore") or "", content.get("credHelpers") or {}
    if not all(isinstance(name, str) for name in (store, *helpers.values())):
        raise TypeError(store)


def _read(path: Path) -> dict[str, Any]:
    """The SDK passes over a file that it cannot read, and would go on without the login."""
    try:
        text = path.read_text(encoding="utf-8")
        content: dict[str, Any] = json.loads(text) if text.strip() else {}
    except OSError as error:
        raise ConfigError(
            f"Docker's {path} cannot be read: {first_line(error)}.",
            next="Make it a file that you can read, or name another folder in DOCKER_CONFIG.",
        ) from error
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ConfigError(
            f"Docker's {path} is not valid JSON{where}.", next="Correct it, or move it away and run docker login again."
        ) from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"Docker's {path} is not a JSON object: a malformed login.", next="Move it away and run docker login again."
        )
    return content


def _ask_helper(name: str, registry: str) -> Login | None:
    """The login that `docker-credential-NAME` has. Protocol: https://github.com/docker/docker-credential-helpers."""
    from docker.auth import INDEX_NAME, INDEX_URL

    program, server = f"docker-credential-{name}", INDEX_URL if registry == INDEX_NAME else registry
    try:
        done = subprocess.run(
            [program, "get"], input=server.encode(), capture_output=True, check=False, timeout=HELPER_S
        )
    except subprocess.TimeoutExpired as error:
        raise _helper_error(program, registry, f"did not answer within {HELPER_S:.0f} s") from error
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        raise _helper_error(
            program, registry, "is not installed" if missing else f"does not start: {first_line(error)}"
        ) from error
    if done.returncode:
        words = printable((done.stdout or done.stderr).decode(errors="replace").strip().partition("\n")[0], 200)
        if NOT_FOUND in words.lower():
            return None
        raise _helper_error(program, registry, f"failed with exit code {done.returncode}{words and f': {words}'}")
    try:
        answer = json.loads(done.stdout)
        user, secret = "".join((answer["Username"],)), "".join((answer["Secret"],))  # TypeError unless strings
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _helper_error(program, registry, "answered with something that is not a login") from error
    return Login(identity_token=secret) if user == TOKEN_USER and secret else _login(user, secret)


def _helper_error(program: str, registry: str, why: str) -> EngineError:
    return EngineError(
        f"Docker's credential store failed: {printable(program, 100)} {why}.",
        next=f"Docker's config.json names it in credsStore or credHelpers. Repair it, or remove it there and log in "
        f"again: docker login {registry}.",
    )


def _login(user: Any, password: Any) -> Login | None:
    return Login(user=str(user), password=str(password)) if user and password else None


def _config_file() -> Path | None:
    from docker.utils.config import find_config_file

    found = find_config_file()
    return None if found is None else Path(found)
