"""An oras client over one session, that asks once and hands every answer to whoever judges it."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from image.core.address import Address, Login

TIMEOUT_S = 120.0  # of silence


def make_session(*, trusts_environment: bool) -> Any:
    """`trusts_environment`: proxies and certificates that it names; loopback is never behind a proxy."""
    import requests

    session = requests.Session()
    session.trust_env = trusts_environment
    session.request = partial(session.request, timeout=TIMEOUT_S)  # type: ignore[method-assign]
    return session


def make_client(
    address: Address,
    session: Any,
    login: Login | None,
    *,
    checked: Callable[[Any], Any],
    verify: str | bool,
    plain: bool,
    basic: bool,
) -> Any:
    """`checked` raises for an answer that is none; `basic`: the registry takes the login itself, no token for it."""
    import oras.logger
    from oras.provider import Registry

    oras.logger.logger.logger.disabled = True  # it would tell of failures before we do, in other words

    class Client(Registry):  # type: ignore[misc]  # oras has no types
        def do_request(
            self, url: str, method: str = "GET", data: Any = None, headers: Any = None, json: Any = None,
            stream: bool = False,
        ) -> Any:  # fmt: skip
            """Once, in place of oras's five times; the body of an upload never travels only to be refused."""
            headers = dict(headers or {})
            ask = partial(session.request, method, url, data=data, json=json, stream=stream, verify=verify)
            at_home = url.startswith(f"{self.prefix}://{address.server}/")
            if at_home and (basic or self.auth.token):
                headers |= self.auth.get_auth_header()
            answer = ask(headers=headers)
            if answer.status_code == HTTPStatus.UNAUTHORIZED and not basic:
                # A token is for one scope: the one that reading got does not write.
                headers.pop("Authorization", None)
                headers, changed = self.auth.authenticate_request(answer, headers, refresh=True)
                answer = ask(headers=headers) if changed else answer
            return checked(answer)

    client = Client(address.server, insecure=plain, tls_verify=verify, auth_backend="basic" if basic else "token")
    client.session = client.auth.session = session
    if login is not None:
        client.auth.set_basic_auth(login.user, login.password)
    return client
