"""Turns a registry's failures into errors that say what failed, why, and what to do next. Knows no client."""

import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

from image.core.address import Address
from image.core.errors import RegistryError, first_line, root_cause
from image.core.text import printable

# Statuses on which a retry can succeed.
TRANSIENT_STATUSES = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT,
    }
)  # fmt: skip
MAX_DETAIL = 300  # characters of the registry's own words
CERTIFICATES = Path("/etc/docker/certs.d")  # certificates that Docker trusts besides the system's


class TransientError(Exception):
    """A response after which a retry can succeed."""


def response_error(address: Address, response: Any) -> TransientError | RegistryError:
    """The error for a failed response, in the registry's own words.

    Error bodies: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes.
    """
    if response.status_code in TRANSIENT_STATUSES:
        return TransientError(f"the registry answered {response.status_code}")
    try:
        detail = "; ".join(str(error.get("message") or error.get("code")) for error in response.json()["errors"])
    except (ValueError, KeyError, TypeError, AttributeError):
        detail = str(response.reason or "")
    detail = printable(detail, MAX_DETAIL)
    why = f"the registry refuses ({f'{response.status_code} {detail}'.strip()})"
    return registry_error(address, why, response.status_code)


def registry_error(address: Address, why: str, status: int = 0) -> RegistryError:
    """The error with the remedy for its HTTP status, or else for its words. `status` is 0 without a response."""
    registry = address.registry
    by_status = {
        HTTPStatus.UNAUTHORIZED: f"Log in: docker login {registry}.",
        HTTPStatus.FORBIDDEN: "Check that the name is yours and your login has access.",
        HTTPStatus.NOT_FOUND: f"Check that {address} exists and is spelled right.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The registry limits the size of a file.",
        HTTPStatus.INSUFFICIENT_STORAGE: "The registry's disk is full.",
    }
    by_words = (
        ("certificate", f"Provide its certificate with --ca-bundle FILE, or as {CERTIFICATES / registry}/ca.crt."),
        ("WRONG_VERSION|RECORD_LAYER|record layer", "It speaks plain HTTP: use --plain-http, or serve it with TLS."),
        ("refused|resolve|Name or service", f"Check that {registry} is the right name and is up."),
        ("", "Run it again: what has arrived is not sent again."),
    )
    remedy = by_status.get(HTTPStatus(status)) if status else None
    remedy = remedy or next(text for pattern, text in by_words if re.search(pattern, why))
    return RegistryError(f"{address}: {why}.", next=remedy)


def reason(error: BaseException) -> str:
    """The root cause's first line, without the object and source references that urllib3 and ssl add."""
    line = re.sub(r"^<[^>]*>: |\s*\(_?ssl\.c:\d+\)", "", first_line(root_cause(error))).rstrip(".")
    return printable(line, MAX_DETAIL)
