"""Exchanges a login for a token, only with a token server that is the registry's own.

The protocol: https://distribution.github.io/distribution/spec/auth/ (token and OAuth 2).
"""

import base64
import ipaddress
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from image.core.address import Address, Login
from image.core.errors import RegistryError
from image.core.text import printable
from image.registry.failures import TRANSIENT_STATUSES, TransientError
from image.registry.transport import Answer, Origin, Transport

CLIENT_ID = "finetune-and-prove"
PARAMETER = re.compile(r'([a-zA-Z]+)="([^"]*)"')
TOKEN = re.compile(r"[\x21-\x7e]+")
# Second-level names under which countries register domains: example.co.uk, example.com.cn.
SECOND_LEVELS = frozenset({"ac", "co", "com", "edu", "gob", "gouv", "gov", "go", "ne", "net", "nom", "or", "org"})
# Domains whose subdomains belong to different customers; their token servers are on the registry's own host.
SHARED_DOMAINS = frozenset(
    {
        "amazonaws.com", "azurecr.io", "azurewebsites.net", "cloudfront.net", "duckdns.org", "fly.dev", "github.io",
        "gitlab.io", "herokuapp.com", "jfrog.io", "netlify.app", "ngrok-free.app", "ngrok.io", "nip.io", "pages.dev",
        "run.app", "sslip.io", "trycloudflare.com", "vercel.app", "web.app", "workers.dev",
    }
)  # fmt: skip
# Registries whose token server has another domain of the same owner.
OTHER_DOMAINS = {"scw.cloud": "scaleway.com"}


class Authentication:
    """The Authorization header for one registry. `basic`: the registry accepts the login itself, not a token."""

    def __init__(self, address: Address, transport: Transport, login: Login | None, *, basic: bool) -> None:
        self._address, self._transport, self._login, self._basic = address, transport, login, basic
        self._token = ""

    @property
    def header(self) -> str:
        if self._basic:
            return _basic_header(self._login) if self._login else ""
        return f"Bearer {self._token}" if self._token else ""

    def send(self, method: str, url: str, **options: Any) -> Answer:
        """As `Transport.send`. Only a URL of the registry itself gets the header, and only its 401 gets a new token."""
        is_registry = self._transport.origin_of(url) == self._transport.origin
        answer = self._transport.send(method, url, authorization=self.header if is_registry else "", **options)
        refused = answer.status_code == HTTPStatus.UNAUTHORIZED and answer.origin == self._transport.origin
        if refused and is_registry and not self._basic and self._renew(answer.headers.get("WWW-Authenticate", "")):
            answer = self._transport.send(method, url, authorization=self.header, **options)
        return answer

    def _renew(self, challenge: str) -> bool:
        """Gets a token for the challenge's scope: a token for reading does not allow writing. False if refused."""
        scheme, _, rest = challenge.partition(" ")
        fields = dict(PARAMETER.findall(rest))
        if scheme.lower() != "bearer" or not fields.get("realm"):
            return False
        realm = fields["realm"]
        query = {name: fields[name] for name in ("service", "scope") if fields.get(name)}
        answer = self._ask(realm, self._transport.origin_of(realm), query)
        if answer.status_code in TRANSIENT_STATUSES:
            raise TransientError(f"the registry's token server answered {answer.status_code}")
        self._token = self._read_token(answer) if answer.ok else ""
        return bool(self._token)

    def _ask(self, realm: str, server: Origin, query: dict[str, str]) -> Answer:
        headers = {"Accept": "application/json"}
        if self._login is not None and not is_own_token_server(self._transport.origin, server):
            raise RegistryError(
                f"{self._address}: the registry's token server is {printable(server.host, 100)}, which is on another "
                "domain; your login was not sent.",
                next=f"To pull without a login: docker logout {self._address.registry}.",
            )
        if self._login is not None and self._login.identity_token:
            form = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": self._login.identity_token}
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            # A redirect would carry the token in the body to another host.
            return self._transport.send(
                "POST", realm, headers=headers, data=urlencode(form | query).encode(), follow=False
            )
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}" if query else realm
        authorization = _basic_header(self._login) if self._login else ""
        return self._transport.send("GET", url, headers=headers, authorization=authorization)

    def _read_token(self, answer: Answer) -> str:
        try:
            content = answer.json()
            token = content.get("token") or content.get("access_token") or ""
        except (ValueError, AttributeError):
            token = None
        if not isinstance(token, str) or (token and not TOKEN.fullmatch(token)):
            raise RegistryError(
                f"{self._address}: the registry's token server sent no valid token.",
                next="Ask the registry's operator.",
            )
        return token


def is_own_token_server(registry: Origin, server: Origin) -> bool:
    """Whether the login for `registry` may go to the token server `server` that the registry names.

    Over TLS: to the same host on any port, or to a host of the same registrable domain, as registry-1.docker.io names
    auth.docker.io, and registry.gitlab.com names gitlab.com. Without TLS: from loopback to loopback. Docker sends it
    anywhere; after CVE-2020-15157 that is too much.
    """
    if server.scheme != "https":
        return registry.on_loopback and server.on_loopback
    if registry.host == server.host:
        return True
    ours, theirs = registrable_domain(registry.host), registrable_domain(server.host)
    return bool(ours) and theirs in {ours, OTHER_DOMAINS.get(ours, ours)}


def registrable_domain(host: str) -> str:
    """The domain that one owner has registered; empty for an IP address, a single name and a shared domain.

    By rules of thumb and a short list instead of the Public Suffix List, which the standard library does not have.
    """
    labels = host.rstrip(".").split(".")
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    else:
        return ""
    by_country = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in SECOND_LEVELS  # noqa: PLR2004
    count = 3 if by_country else 2
    domain = ".".join(labels[-count:])
    return domain if len(labels) >= count and domain not in SHARED_DOMAINS else ""


def _basic_header(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
