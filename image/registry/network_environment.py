"""The environment variables of proxies and certificates, read before requests fails on them in its own words.

As toolkit/core/network_environment.py, with which the host's side shares no code.
"""

import os
import ssl
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from image.core.errors import ConfigError, first_line

CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
SOCKS = frozenset({"socks4", "socks4a", "socks5", "socks5h"})


def require_usable_network(url: str, *, own_bundle: bool = False) -> None:
    """Raises ConfigError, which names the variable, if requests cannot reach `url` with proxy and certificates so.

    `own_bundle`: the caller names the certificates itself.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and not own_bundle:
        for name in CERTIFICATES:
            if value := os.environ.get(name):
                _require_certificates(name, value)
                break  # requests looks at the second only without the first
    proxies = getproxies()
    used = parts.scheme if parts.scheme in proxies else "all"
    if used not in proxies or (parts.hostname and proxy_bypass(parts.hostname)):
        return
    problem = _proxy_problem(proxies[used])
    if problem is not None:
        lower = f"{used}_proxy"
        what, remedy = problem
        raise ConfigError(
            f"The environment variable {lower if lower in os.environ else lower.upper()} {what}.", next=remedy
        )


def _proxy_problem(value: str) -> tuple[str, str] | None:
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
        if parts.scheme not in SOCKS:
            return f"starts with {parts.scheme[:20]}://, which is not supported", "Write socks5h://HOST:PORT."
        if find_spec("socks") is None:
            return (
                "names a SOCKS proxy, and the package socks is not installed",
                'Install it (pip install "requests[socks]"), or name an http:// proxy.',
            )
        return None
    return None if parts.scheme in {"http", "https"} else (f"starts with {parts.scheme[:20]}://, not http://", remedy)


def _require_certificates(name: str, value: str) -> None:
    if Path(value).is_dir():
        return
    try:
        ssl.create_default_context(cafile=value)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        missing = isinstance(error, FileNotFoundError)
        why = "does not exist" if missing else f"has no certificates that can be read ({first_line(error)})"
        raise ConfigError(
            f"The environment variable {name} names {value}, which {why}.",
            next="Name a file with certificates (PEM), or unset it; --ca-bundle FILE goes before it.",
        ) from error
