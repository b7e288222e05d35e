"""One repository of one registry: its manifests and blobs, asked for steadily. Failures leave as RegistryError."""

import hashlib
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from image.core.address import Address, Login
from image.core.errors import ConfigError, RegistryError
from image.core.progress import Say
from image.registry.client import make_client, make_session
from image.registry.failures import CERTIFICATES, PASSING, PassingError, innermost, refusal, refused

FIRST_WAIT_S = 2.0
BLOCK_BYTES = 1024 * 1024
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


class Repository:
    """Where one address leads. Every method raises RegistryError in the user's words."""

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

        return self._steadily(f"pushing {path.name}", push) is not None

    def push_manifest(self, content: bytes) -> None:
        self._steadily(
            "pushing the manifest",
            lambda: self.client.do_request(self._manifest_url(), "PUT", content, {"Content-Type": MANIFEST_TYPE}),
        )

    def manifest(self) -> bytes:
        """Its very bytes, as the tag or digest of the address names it."""
        answer = self._steadily(
            "reading the manifest",
            lambda: self.client.do_request(self._manifest_url(), "GET", headers={"Accept": MANIFEST_TYPE}),
        )
        return bytes(answer.content)

    def fetch_blob(self, digest: str, size_bytes: int, target: Path) -> None:
        """Writes `target`; raises RegistryError where the bytes are not those of the digest, OSError for the disk."""
        self._steadily(f"fetching {target.name}", lambda: self._fetch(digest, size_bytes, target))

    def _fetch(self, digest: str, size_bytes: int, target: Path) -> None:
        found, size = hashlib.sha256(), 0
        with self.client.get_blob(self._place(), digest, stream=True) as answer, target.open("wb") as to:
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
        session = make_session(trusts_environment=not self.address.on_loopback)
        answer = session.get(f"{scheme}://{self.address.server}/v2/", verify=self._verify)
        wants = answer.headers.get("WWW-Authenticate", "").partition(" ")[0].lower()
        known = (
            answer.status_code in {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED}
            or "Docker-Distribution-Api-Version" in answer.headers
        )
        if not known and answer.status_code not in {HTTPStatus.FORBIDDEN, *PASSING}:
            raise RegistryError(
                f"{self.address.server} does not answer as a registry ({answer.status_code}).",
                next="Is the address right? REGISTRY is a host and, where there is one, an owner: ghcr.io/me.",
            )
        login = self.login
        if plain and not self.address.on_loopback and login is not None:
            self._say(f"your login for {self.address.registry} stays here: it would travel unencrypted")
            login = None
        if wants == "basic" and login is None:
            raise refusal(self.address, "the registry wants a login", HTTPStatus.UNAUTHORIZED)
        return make_client(
            self.address, session, login, checked=self._checked, verify=self._verify, plain=plain,
            basic=wants == "basic",
        )  # fmt: skip

    def _speaks_plain_http(self) -> bool:
        import requests

        try:
            answer = make_session(trusts_environment=False).get(
                f"http://{self.address.server}/v2/", allow_redirects=False
            )
        except requests.RequestException:
            return False
        return answer.status_code in {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED}

    def _place(self) -> Any:
        from oras.container import Container

        return Container(f"{self.address.server}/{self.address.repository}:{self.address.tag or 'latest'}")

    def _manifest_url(self) -> str:
        named = self.address.digest or self.address.tag
        return f"{self.client.prefix}://{self._place().manifest_url(named)}"

    def _checked(self, answer: Any) -> Any:
        """Every answer that the client gets; that a blob is not there is one, too."""
        if answer.ok or (answer.request.method == "HEAD" and answer.status_code == HTTPStatus.NOT_FOUND):
            return answer
        raise refused(self.address, answer)

    def _steadily(self, doing: str, act: Callable[[], Any]) -> Any:
        """Once more, after growing pauses, where the connection broke or the registry is overloaded."""
        import requests

        wait_s = FIRST_WAIT_S
        for attempt in range(1, self._tries + 1):
            try:
                return act()
            except requests.exceptions.SSLError as error:
                raise refusal(self.address, f"TLS fails: {innermost(error)}", 0) from error
            except (requests.RequestException, PassingError) as error:
                why = innermost(error)
                if attempt == self._tries:
                    raise refusal(self.address, f"{doing} broke off {attempt} times: {why}", 0) from error
                self._say(f"{doing} broke off ({why}); try {attempt + 1} of {self._tries} in {wait_s:.0f} s")
                self._pause(wait_s)
                wait_s *= 2
            except ValueError as error:  # how oras tells that it finds no way to log in
                raise refusal(self.address, str(error).rstrip("."), HTTPStatus.UNAUTHORIZED) from error
        raise AssertionError("unreachable")
