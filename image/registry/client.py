"""An oras client over one session. Sends each request once, and leaves judging the response to a callback."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from image.core.address import Address, Login

TIMEOUT_S = 120.0  # without a byte from the server


def make_session(*, use_environment: bool) -> Any:
    """A requests.Session. `use_environment`: with the proxies and certificates that environment variables name."""
    import requests

    session = requests.Session()
    session.trust_env = use_environment
    session.request = partial(session.request, timeout=TIMEOUT_S)  # type: ignore[method-assign]
    return session


def make_client(
    address: Address,
    session: Any,
    login: Login | None,
    *,
    check_response: Callable[[Any], Any],
    verify: str | bool,
    plain_http: bool,
    basic_auth: bool,
) -> Any:
    """An oras.provider.Registry.

    `check_response` returns a good response and raises for any other. `verify` is as in requests: a bundle's path or a
    flag. `basic_auth`: the registry accepts the login itself instead of a token.
    """
    import oras.logger
    from oras.provider import Registry

    oras.logger.logger.logger.disabled = True  # it would report failures before we do

    class Client(Registry):  # type: ignore[misc]  # oras has no types
        def do_request(
            self, url: str, method: str = "GET", data: Any = None, headers: Any = None, json: Any = None,
            stream: bool = False,
        ) -> Any:  # fmt: skip
            """Sends the request once; oras would send it five times, with its body, even if the first answer is 401."""
            headers = dict(headers or {})
            send = partial(session.request, method, url, data=data, json=json, stream=stream, verify=verify)
            same_server = url.startswith(f"{self.prefix}://{address.server}/")
            if same_server and (basic_auth or self.auth.token):
                headers |= self.auth.get_auth_header()
            response = send(headers=headers)
            if response.status_code == HTTPStatus.UNAUTHORIZED and not basic_auth:
                # A token has one scope: a token for reading does not allow writing.
                headers.pop("Authorization", None)
                headers, changed = self.auth.authenticate_request(response, headers, refresh=True)
                response = send(headers=headers) if changed else response
            return check_response(response)

    backend = "basic" if basic_auth else "token"
    client = Client(address.server, insecure=plain_http, tls_verify=verify, auth_backend=backend)
    client.session = client.auth.session = session
    if login is not None:
        client.auth.set_basic_auth(login.user, login.password)
    return client
