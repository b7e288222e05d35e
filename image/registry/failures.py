"""How a registry's troubles are told: what failed, why, and what to do next. Knows no client."""

import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

from image.core.address import Address
from image.core.errors import RegistryError

# What another try can mend.
PASSING = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT,
    }
)  # fmt: skip
CERTIFICATES = Path("/etc/docker/certs.d")  # whom Docker trusts beside the system


class PassingError(Exception):
    """An answer that another try may better."""


def refused(address: Address, answer: Any) -> Exception:
    """The error for an answer that is none of the good ones, in the registry's own words."""
    if answer.status_code in PASSING:
        return PassingError(f"the registry answered {answer.status_code}")
    try:  # an error body as the distribution specification has it
        told = "; ".join(str(error.get("message") or error.get("code")) for error in answer.json()["errors"])
    except (ValueError, KeyError, TypeError, AttributeError):
        told = str(answer.reason or "")
    return refusal(address, f"the registry refuses ({f'{answer.status_code} {told}'.strip()})", answer.status_code)


def refusal(address: Address, why: str, status: int = 0) -> RegistryError:
    """`status` 0: the registry was not heard."""
    registry = address.registry
    by_status = {
        HTTPStatus.UNAUTHORIZED: f"Log in: docker login {registry}.",
        HTTPStatus.FORBIDDEN: "Is the name yours, and may your login do this there?",
        HTTPStatus.NOT_FOUND: f"Is {address} there, and is the name right?",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The registry limits a file's size.",
        HTTPStatus.INSUFFICIENT_STORAGE: "The registry's disk is full.",
    }
    by_words = (
        ("certificate", f"Name its certificate: --ca-bundle FILE, or {CERTIFICATES / registry}/ca.crt."),
        ("WRONG_VERSION|RECORD_LAYER|record layer", "It speaks plain HTTP: give --plain-http, or serve it with TLS."),
        ("refused|resolve|Name or service", f"Is {registry} the right name, and is it up?"),
        ("", "Run it again: what has arrived is not sent again."),
    )
    remedy = by_status.get(HTTPStatus(status)) if status else None
    remedy = remedy or next(told for words, told in by_words if re.search(words, why))
    return RegistryError(f"{address}: {why}.", next=remedy)


def innermost(error: BaseException) -> str:
    """The system's own words, out of the four layers that requests and urllib3 wrap around them."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    words = re.sub(r"^<[^>]*>: |^\[Errno -?\d+\] |\s*\(_?ssl\.c:\d+\)", "", str(error))
    return words.rstrip(".") or type(error).__name__
