"""The door to registries for what is no image: manifests and blobs, through oras. Failures leave as RegistryError.

oras knows the addresses, the upload and the exchange of a login for a token. Its own retries (two minutes where nothing
listens) and its search for a login are left aside: the caller says how often, and `image.engine` who is logged in.
"""

import hashlib
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from image.address import Address, Login
from image.errors import ConfigError, RegistryError
from image.progress import Say

TIMEOUT_S = 120.0
FIRST_WAIT_S = 2.0
PASSING = frozenset({429, 500, 502, 503, 504})  # what a retry can mend
BLOCK_BYTES = 1024 * 1024
CERTIFICATES = Path("/etc/docker/certs.d")  # whom Docker trusts beside the system
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    """One repository of one registry. Every method raises RegistryError in the user's words."""

    def __init__(
        self,
        address: Address,
        *,
        say: Say,
        login: Login | None = None,
        ca_bundle: Path | None = None,
        plain_http: bool = False,
        tries: int = 5,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address, self.login = address, login
        self._say, self._tries, self._pause = say, tries, pause
        if ca_bundle is not None and not ca_bundle.is_file():
            raise ConfigError(f"The certificate {ca_bundle} is not there.", next="Name a PEM file with --ca-bundle.")
        docker_trusts = CERTIFICATES / address.registry / "ca.crt"
        self._verify = str(ca_bundle) if ca_bundle else (str(docker_trusts) if docker_trusts.is_file() else True)
        self._plain = plain_http
        self._client: Any = None

    def push_blob(self, path: Path, digest: str, size_bytes: int) -> bool:
        """False where the registry has it already."""
        layer, place = {"digest": digest, "size": size_bytes}, self._place()

        def push() -> Any:
            if self.client.blob_exists(layer, place):
                return None
            return self.client.put_upload(str(path), place, layer)

        return self._answered(f"pushing {path.name}", push) is not None

    def push_manifest(self, content: bytes) -> None:
        self._answered(
            "pushing the manifest",
            lambda: self.client.do_request(self._manifest_url(), "PUT", content, {"Content-Type": MANIFEST_TYPE}),
        )

    def manifest(self) -> bytes:
        """Its very bytes, as the tag or digest of the address names it."""
        answer = self._answered(
            "reading the manifest",
            lambda: self.client.do_request(self._manifest_url(), "GET", headers={"Accept": MANIFEST_TYPE}),
        )
        return bytes(answer.content)

    def fetch_blob(self, digest: str, size_bytes: int, target: Path) -> None:
        """Writes `target`; raises RegistryError where the bytes are not those of the digest, OSError for the disk."""
        self._steadily(f"fetching {target.name}", lambda: self._fetch(digest, size_bytes, target))

    def _fetch(self, digest: str, size_bytes: int, target: Path) -> None:
        found, size = hashlib.sha256(), 0
        with self._checked(self.client.get_blob(self._place(), digest, stream=True)) as answer, target.open("wb") as to:
            for block in answer.iter_content(BLOCK_BYTES):
                size += len(block)
                if size > size_bytes:
                    break
                found.update(block)
                to.write(block)
        if size != size_bytes or f"sha256:{found.hexdigest()}" != digest:
            raise RegistryError(
                f"{target.name} arrived with other bytes than {self.address} promises ({digest[:19]}…).",
                next="Pull it again; if it stays so, the registry's copy is damaged.",
            )

    @property
    def client(self) -> Any:
        if self._client is None:
            self._client = self._connected()
        return self._client

    def _connected(self) -> Any:
        """Asks the registry how it wants to be spoken to; no login travels before that is known."""
        plain = self._plain or (self.address.on_loopback and self._speaks_plain_http())
        scheme = "http" if plain else "https"
        session = _session(trusts_environment=not self.address.on_loopback)
        answer = session.get(f"{scheme}://{self.address.server}/v2/", verify=self._verify)
        wants = answer.headers.get("WWW-Authenticate", "").partition(" ")[0].lower()
        known = answer.status_code in {200, 401} or "Docker-Distribution-Api-Version" in answer.headers
        if not known and answer.status_code not in {403, *PASSING}:
            raise RegistryError(
                f"{self.address.server} does not answer as a registry ({answer.status_code}).",
                next="Is the address right? REGISTRY is a host and, where there is one, an owner: ghcr.io/me.",
            )
        login = self.login
        if plain and not self.address.on_loopback and login is not None:
            self._say(f"your login for {self.address.registry} stays here: it would travel unencrypted")
            login = None
        if wants == "basic" and login is None:
            raise self._refusal("the registry wants a login", 401)
        return _client(self.address, session, login, insecure=plain, verify=self._verify, basic=wants == "basic")

    def _speaks_plain_http(self) -> bool:
        import requests

        try:
            answer = _session(trusts_environment=False).get(f"http://{self.address.server}/v2/", allow_redirects=False)
        except requests.RequestException:
            return False
        return answer.status_code in {200, 401}

    def _place(self) -> Any:
        from oras.container import Container

        return Container(f"{self.address.server}/{self.address.repository}:{self.address.tag or 'latest'}")

    def _manifest_url(self) -> str:
        named = self.address.digest or self.address.tag
        return f"{self.client.prefix}://{self._place().manifest_url(named)}"

    def _answered(self, doing: str, ask: Callable[[], Any]) -> Any:
        def checked() -> Any:
            answer = ask()
            return None if answer is None else self._checked(answer)

        return self._steadily(doing, checked)

    def _checked(self, answer: Any) -> Any:
        if answer.status_code in PASSING:
            raise _PassingError(f"the registry answered {answer.status_code}")
        if not answer.ok:
            raise self._refusal(_words(answer), answer.status_code)
        return answer

    def _steadily(self, doing: str, act: Callable[[], Any]) -> Any:
        """Once more, after growing pauses, where the connection broke or the registry is overloaded."""
        import requests

        wait_s = FIRST_WAIT_S
        for attempt in range(1, self._tries + 1):
            try:
                return act()
            except requests.exceptions.SSLError as error:
                raise self._refusal(f"TLS fails: {_innermost(error)}", 0) from error
            except (requests.RequestException, _PassingError) as error:
                why = _innermost(error)
                if attempt == self._tries:
                    raise self._refusal(f"{doing} broke off {attempt} times: {why}", 0) from error
                self._say(f"{doing} broke off ({why}); try {attempt + 1} of {self._tries} in {wait_s:.0f} s")
                self._pause(wait_s)
                wait_s *= 2
            except ValueError as error:  # how oras tells that it finds no way to log in
                raise self._refusal(str(error).rstrip("."), 401) from error
        raise AssertionError("unreachable")

    def _refusal(self, why: str, status: int) -> RegistryError:
        registry = self.address.registry
        remedies = (
            (status == 401, f"Log in: docker login {registry}."),  # noqa: PLR2004
            (status == 403, "Is the name yours, and may your login do this there?"),  # noqa: PLR2004
            (status == 404, f"Is {self.address} there, and is the name right?"),  # noqa: PLR2004
            (status == 413, "The registry limits a layer's size."),  # noqa: PLR2004
            (status == 507 or "no space" in why, "The registry's disk is full."),  # noqa: PLR2004
            ("CERTIFICATE_VERIFY_FAILED" in why or "certificate" in why,
             f"Name its certificate with --ca-bundle FILE, or put it into {CERTIFICATES / registry}/ca.crt."),
            ("WRONG_VERSION" in why or "RECORD_LAYER" in why or "record layer" in why,
             "It speaks plain HTTP: give --plain-http, or serve it with TLS."),
            (bool(re.search("refused|resolve|Name or service", why)), f"Is {registry} the right name, and is it up?"),
            (True, "Run it again: what has arrived is not sent again."),
        )  # fmt: skip
        return RegistryError(f"{self.address}: {why}.", next=next(told for fits, told in remedies if fits))


class _PassingError(Exception):
    """An answer that another try may better."""


def _session(*, trusts_environment: bool) -> Any:
    """`trusts_environment`: proxies and certificates that it names; loopback is never behind a proxy."""
    import requests

    session = requests.Session()
    session.trust_env = trusts_environment
    session.request = partial(session.request, timeout=TIMEOUT_S)  # type: ignore[method-assign]
    return session


def _client(address: Address, session: Any, login: Login | None, *, insecure: bool, verify: Any, basic: bool) -> Any:
    """An oras client that asks once: its own five tries would hide two minutes of waiting."""
    import oras.logger
    from oras.provider import Registry as OrasRegistry

    oras.logger.logger.quiet = True
    oras.logger.logger.logger.disabled = True  # it would tell of failures before we do, in other words

    class Client(OrasRegistry):  # type: ignore[misc]  # oras has no types
        def do_request(
            self, url: str, method: str = "GET", data: Any = None, headers: Any = None, json: Any = None,
            stream: bool = False,
        ) -> Any:  # fmt: skip
            headers = dict(headers or {})
            if url.startswith(f"{self.prefix}://{address.server}/") and (basic or self.auth.token):
                headers |= self.auth.get_auth_header()
            ask = partial(session.request, method, url, data=data, json=json, stream=stream, verify=verify)
            answer = ask(headers=headers)
            if answer.status_code != 401 or basic:  # noqa: PLR2004
                return answer
            # A token is for one scope: the one that reading got does not write.
            headers.pop("Authorization", None)
            headers, changed = self.auth.authenticate_request(answer, headers, refresh=True)
            return ask(headers=headers) if changed else answer

    client = Client(
        address.server, insecure=insecure, tls_verify=verify, auth_backend="basic" if basic else "token"
    )  # fmt: skip
    client.session = client.auth.session = session
    if login is not None:
        client.auth.set_basic_auth(login.user, login.password)
    return client


def _words(answer: Any) -> str:
    """The registry's own, from an error body as the distribution specification has it."""
    try:
        told = "; ".join(str(error.get("message") or error.get("code")) for error in answer.json()["errors"])
    except (ValueError, KeyError, TypeError, AttributeError):
        told = str(answer.reason or "")
    return f"the registry refuses ({answer.status_code} {told})".replace(" )", ")")


def _innermost(error: BaseException) -> str:
    """The system's own words, out of the four layers that requests and urllib3 wrap around them."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return re.sub(r"^<[^>]*>: |^\[Errno -?\d+\] |\s*\(_?ssl\.c:\d+\)", "", str(error) or type(error).__name__).rstrip(
        "."
    )
