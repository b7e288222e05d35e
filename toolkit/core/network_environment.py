"""The environment variables of proxies, certificates and logins, read before a client fails on them in its words."""

import ipaddress
import os
import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from toolkit.core.errors import ConfigError, first_line

Client = Literal["httpx", "requests"]
CERTIFICATES: dict[Client, tuple[str, ...]] = {
    "httpx": ("SSL_CERT_FILE", "SSL_CERT_DIR"),
    "requests": ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
}
SOCKS_PACKAGES: dict[Client, str] = {"httpx": "socksio", "requests": "socks"}
SOCKS_EXTRAS: dict[Client, str] = {"httpx": "httpx[socks]", "requests": "requests[socks]"}
KINDS = ("http", "https", "all")


def docker_folder() -> Path:
    """Where `docker login` and `oras login` keep logins."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def require_usable_network(url: str, client: Client) -> None:
    """Raises ConfigError, which names the variable, if `client` cannot reach `url` with proxy and certificates set so.

    A variable that `url` does not need, and that the client would fail on all the same, is removed from this process.
    """
    for name in CERTIFICATES[client]:
        if value := os.environ.get(name):
            _require_certificates(name, value)
    if client == "httpx":
        _keep_readable_exceptions()
    parts = urlsplit(url)
    proxies = getproxies()
    used = parts.scheme if parts.scheme in proxies else "all"
    if parts.hostname and proxy_bypass(parts.hostname):
        used = ""
    for kind in KINDS:
        problem = _proxy_problem(proxies[kind], client) if kind in proxies else None
        if problem is None:
            continue
        names = [name for name in (f"{kind}_proxy", f"{kind}_proxy".upper()) if name in os.environ]
        if kind == used:
            what, remedy = problem
            raise ConfigError(f"The environment variable {names[0]} {what}.", next=remedy)
        for name in names:
            del os.environ[name]


def _proxy_problem(value: str, client: Client) -> tuple[str, str] | None:
    """What is wrong with a proxy's address, and what to do; None if nothing is. Its password is not shown."""
    remedy = "Write http://HOST:PORT, or unset it."
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"is not a proxy's address ({first_line(error)})", remedy
    if not host or not host.isascii() or any(character.isspace() for character in value.strip()):
        return "is not a proxy's address: it names no host", remedy
    if parts.scheme.startswith("socks"):
        known = {"socks5", "socks5h"} | ({"socks4", "socks4a"} if client == "requests" else set())
        if parts.scheme not in known:
            return f"starts with {parts.scheme}://, which is not supported", "Write socks5h://HOST:PORT, or unset it."
        if find_spec(SOCKS_PACKAGES[client]) is None:
            extra = SOCKS_EXTRAS[client]
            return (
                f"names a SOCKS proxy, and the package {SOCKS_PACKAGES[client]} is not installed",
                f'Install it (pip install "{extra}"), or name an http:// proxy, which most SOCKS proxies are as well.',
            )
        return None
    return None if parts.scheme in {"http", "https"} else (f"starts with {parts.scheme[:20]}://, not http://", remedy)


def _require_certificates(name: str, value: str) -> None:
    path, remedy = Path(value), "Name a file with certificates (PEM), or unset it: the built-in ones then apply."
    if name == "SSL_CERT_DIR" or (name in CERTIFICATES["requests"] and path.is_dir()):
        if path.is_dir():
            return
        raise ConfigError(f"The environment variable {name} names {value}, which is not a folder.", next=remedy)
    try:
        ssl.create_default_context(cafile=value)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        missing = isinstance(error, FileNotFoundError)
        why = "does not exist" if missing else f"has no certificates that can be read ({first_line(error)})"
        raise ConfigError(f"The environment variable {name} names {value}, which {why}.", next=remedy) from error


def _keep_readable_exceptions() -> None:
    """Rewrites NO_PROXY without what httpx fails on: brackets around an IPv6 address, IPv6 networks, odd ports."""
    for name in ("no_proxy", "NO_PROXY"):
        if value := os.environ.get(name):
            entries = [entry.strip() for entry in value.split(",")]
            entries = [entry[1:-1] if entry.startswith("[") and entry.endswith("]") else entry for entry in entries]
            os.environ[name] = ",".join(entry for entry in entries if entry and _is_readable(entry))


def _is_readable(entry: str) -> bool:
    import httpx

    try:
        ipaddress.ip_address(entry)
    except ValueError:
        pass
    else:
        return True
    try:
        httpx.URL(entry if "://" in entry else f"all://*{entry}")
    except (httpx.InvalidURL, ValueError):
        return False
    return True
