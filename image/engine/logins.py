"""Who is logged in where, as `docker login` left it: in its configuration file or in a credential store."""

from typing import Any

from image.address import Login
from image.errors import EngineError


def find_login(registry: str) -> Login | None:
    """None where nobody is logged in; no engine is asked. Raises EngineError where a credential store fails."""
    import docker.auth
    from docker.errors import DockerException

    try:
        found: dict[str, Any] = docker.auth.load_config().resolve_authconfig(registry) or {}
    except DockerException as error:
        raise EngineError(
            f"Docker's credential store fails: {error}.", next=f"Log in afresh: docker login {registry}."
        ) from error
    user, password = found.get("Username") or found.get("username"), found.get("Password") or found.get("password")
    return Login(user=str(user), password=str(password)) if user and password else None
