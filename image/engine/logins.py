"""The logins that `docker login` stored. Does not contact the engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from image.core.address import Login
from image.core.errors import ConfigError, EngineError, first_line


def find_login(registry: str) -> Login | None:
    """The login that `docker login` stored for `registry`; None if there is none.

    Raises ConfigError if Docker's config.json has a malformed login, and EngineError if a credential store fails.
    """
    import docker.auth
    from docker.errors import DockerException

    try:
        with _config_errors():
            config = docker.auth.load_config()
        stored: dict[str, Any] = config.resolve_authconfig(registry) or {}
    except DockerException as error:
        raise EngineError(
            f"Docker's credential store failed: {first_line(error)}.", next=f"Log in again: docker login {registry}."
        ) from error
    if token := stored.get("IdentityToken"):
        return Login(identity_token=str(token))
    user, password = stored.get("Username") or stored.get("username"), stored.get("Password") or stored.get("password")
    return Login(user=str(user), password=str(password)) if user and password else None


def check_logins() -> None:
    """Raises ConfigError if Docker's config.json has a malformed login, on which the SDK would not even connect."""
    import docker.auth

    with _config_errors():
        docker.auth.load_config()


@contextmanager
def _config_errors() -> Iterator[None]:
    """Turns what the SDK raises for a malformed config.json into ConfigError. The message never quotes a login."""
    from docker.errors import InvalidConfigFile

    try:
        yield
    except (InvalidConfigFile, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"Docker's {_config_file()} has a malformed login.",
            next='Remove that entry from its "auths", and log in again with docker login.',
        ) from error


def _config_file() -> str:
    from docker.utils.config import find_config_file

    return str(find_config_file() or "config.json")
