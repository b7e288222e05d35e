"""One repository of one registry: pushes and fetches manifests and blobs, with retries."""

import json
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from image.core.address import Address, Login
from image.core.errors import ConfigError, RegistryError, first_line
from image.core.files import file_digest
from image.core.progress import Notify
from image.core.text import printable
from image.registry.client import make_client
from image.registry.failures import (
    CERTIFICATES,
    TRANSIENT_STATUSES,
    TransientError,
    reason,
    registry_error,
    response_error,
)
from image.registry.login import Authentication
from image.registry.network_environment import require_usable_network
from image.registry.transport import Answer, Sink, Transport

FIRST_WAIT_S = 2.0
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"  # OCI image specification 1.1
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
# What a registry answers that has no such list, or no referrers API.
NO_INDEX = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED})


class Repository:
    """The repository of one address. Every method raises RegistryError, with a message for users."""

    def __init__(
        self,
        address: Address,
        *,
        notify: Notify,
        login: Login | None = None,
        ca_bundle: Path | None = None,
        plain_http: bool = False,
        tries: int = 5,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address, self.login = address, login
        self._notify, self._tries, self._pause = notify, tries, pause
        if ca_bundle is not None and not ca_bundle.is_file():
            raise ConfigError(f"Certificate not found: {ca_bundle}.", next="Pass a PEM file to --ca-bundle.")
        docker_bundle = CERTIFICATES / address.registry / "ca.crt"
        self._verify = str(ca_bundle) if ca_bundle else (str(docker_bundle) if docker_bundle.is_file() else True)
        self._plain_http = plain_http
        self._client: Any = None
        self._authentication: Authentication | None = None

    def push_blob(self, path: Path, digest: str, size_bytes: int) -> bool:
        """False if the registry already had the blob."""
        layer, container = {"digest": digest, "size": size_bytes}, self._container()

        def push() -> Any:
            if self.client.blob_exists(layer, container):
                return None
            return self.client.put_upload(str(path), container, layer)

        return self._with_retries(f"pushing {path.name}", push) is not None

    def push_manifest(self, content: bytes, version: str = "", media_type: str = MANIFEST_TYPE) -> Answer:
        """As the address's tag or digest, or as `version`."""
        headers = {"Content-Type": media_type}
        answer: Answer = self._with_retries(
            "pushing the manifest",
            lambda: self.client.do_request(self._manifest_url(version), "PUT", content, headers),
        )
        return answer

    def manifest(self, version: str = "") -> bytes:
        """The exact bytes of the manifest that the address's tag or digest names, or `version`."""
        headers = {"Accept": MANIFEST_TYPE}
        answer = self._with_retries(
            "reading the manifest", lambda: self.client.do_request(self._manifest_url(version), "GET", headers=headers)
        )
        return bytes(answer.body)

    def push_referrer(self, content: bytes, descriptor: Mapping[str, Any], subject: str) -> None:
        """Pushes a manifest that refers to the one with the digest `subject`.

        A registry without the referrers API gets the index in its place that the distribution specification asks for.
        """
        answer = self.push_manifest(content, descriptor["digest"])
        if "OCI-Subject" in answer.headers:
            return
        tag = _referrers_tag(subject)
        others = [one for one in self._listed(lambda: self._manifest_url(tag)) or [] if one != descriptor]
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [*others, descriptor]}
        self.push_manifest(json.dumps(index, indent=2).encode(), tag, INDEX_TYPE)

    def referrers(self, subject: str) -> list[Any]:
        """The descriptors of the manifests that refer to the one with that digest, as the registry lists them."""
        found = self._listed(lambda: f"{self._manifest_url('').partition('/manifests/')[0]}/referrers/{subject}")
        by_tag = _referrers_tag(subject)
        return (self._listed(lambda: self._manifest_url(by_tag)) if found is None else found) or []

    def _listed(self, url: Callable[[], str]) -> list[Any] | None:
        """The manifests of an index; None where the registry has no such index. `url` connects, which may fail too."""

        def read() -> Answer:
            address = url()
            assert self._authentication is not None
            answer = self._authentication.send("GET", address, headers={"Accept": INDEX_TYPE})
            if answer.ok or answer.status_code in NO_INDEX:
                return answer
            raise response_error(self.address, answer)

        answer = self._with_retries("reading what is attached", read)
        if not answer.ok:
            return None
        try:
            found = answer.json()["manifests"]
        except (ValueError, KeyError, TypeError):
            found = None
        if not isinstance(found, list):
            raise registry_error(self.address, "its list of what is attached is not one")
        return found

    def fetch_blob(self, digest: str, size_bytes: int, target: Path) -> None:
        """Writes the blob to `target`. Raises RegistryError if size or digest differ, and OSError if writing fails."""
        self._with_retries(f"fetching {target.name}", lambda: self._fetch(digest, size_bytes, target))

    def _fetch(self, digest: str, size_bytes: int, target: Path) -> None:
        url = f"{self.client.prefix}://{self._container().get_blob_url(digest)}"
        target.unlink(missing_ok=True)
        with target.open("xb") as file:  # a new file: a link in its place is never followed
            self._send("GET", url, sink=Sink(file=file, size_bytes=size_bytes))
        if target.stat().st_size != size_bytes or file_digest(target) != digest:
            raise RegistryError(
                f"{target.name} does not match its digest in {self.address} ({digest[:19]}…).",
                next="Pull it again; if that does not help, the registry's copy is damaged.",
            )

    @property
    def client(self) -> Any:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _connect(self) -> Any:
        """Asks the registry for its scheme and kind of authentication, and sends no login before it knows both."""
        plain_http = self._plain_http or (self.address.on_loopback and self._speaks_plain_http())
        scheme = "http" if plain_http else "https"
        if not self.address.on_loopback:
            require_usable_network(f"{scheme}://{self.address.server}", own_bundle=self._verify is not True)
        transport = Transport(self.address, scheme=scheme, verify=self._verify)
        response = transport.send("GET", f"{transport.base_url}/v2/")
        basic_auth = response.headers.get("WWW-Authenticate", "").partition(" ")[0].lower() == "basic"
        is_registry = (
            response.status_code in {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED}
            or "Docker-Distribution-Api-Version" in response.headers
        )
        if not is_registry and response.status_code not in {HTTPStatus.FORBIDDEN, *TRANSIENT_STATUSES}:
            raise RegistryError(
                f"{self.address.server} does not answer like a registry ({response.status_code}).",
                next="Check the address: REGISTRY is a host, followed by an owner if there is one, such as ghcr.io/me.",
            )
        login = self.login
        if plain_http and not self.address.on_loopback and login is not None:
            self._notify(f"not sending your login for {self.address.registry}: it would travel unencrypted")
            login = None
        if basic_auth and login is None:
            raise registry_error(self.address, "the registry requires a login", HTTPStatus.UNAUTHORIZED)
        if basic_auth and login is not None and login.identity_token:
            raise RegistryError(
                f"{self.address}: the registry takes no identity tokens, and docker login stored one.",
                next=f"Log in with a user and a password: docker login -u USER {self.address.registry}.",
            )
        self._authentication = Authentication(self.address, transport, login, basic=basic_auth)
        return make_client(self.address, self._send, plain_http=plain_http)

    def _send(self, method: str, url: str, **options: Any) -> Answer:
        """A good answer; 404 is one if the question was whether a blob exists. Raises for any other."""
        assert self._authentication is not None
        answer = self._authentication.send(method, url, **options)
        if answer.ok or (method == "HEAD" and answer.status_code == HTTPStatus.NOT_FOUND):
            return answer
        raise response_error(self.address, answer)

    def _speaks_plain_http(self) -> bool:
        import requests

        transport = Transport(self.address, scheme="http", verify=True)
        try:
            answer = transport.send("GET", f"{transport.base_url}/v2/", follow=False)
        except requests.RequestException:
            return False
        return answer.status_code in {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED}

    def _container(self) -> Any:
        from oras.container import Container

        return Container(f"{self.address.server}/{self.address.repository}:{self.address.tag or 'latest'}")

    def _manifest_url(self, version: str = "") -> str:
        """Connects, so it is asked for within `_with_retries`."""
        version = version or self.address.digest or self.address.tag
        return f"{self.client.prefix}://{self._container().manifest_url(version)}"

    def _with_retries(self, action: str, request: Callable[[], Any]) -> Any:
        """Repeats `request`, after growing pauses, if the connection fails or the registry is overloaded."""
        import requests

        wait_s = FIRST_WAIT_S
        for attempt in range(1, self._tries + 1):
            try:
                return request()
            except requests.exceptions.SSLError as error:
                raise registry_error(self.address, f"TLS failed: {reason(error)}") from error
            except (requests.RequestException, TransientError) as error:
                why = reason(error)
                if attempt == self._tries:
                    times = f"{attempt} times" if attempt > 1 else "once"
                    raise registry_error(self.address, f"{action} failed {times}: {why}") from error
                self._notify(f"{action} failed ({why}); try {attempt + 1} of {self._tries} in {wait_s:.0f} s")
                self._pause(wait_s)
                wait_s *= 2
            except ValueError as error:  # raised by oras if the registry names no place for an upload
                raise registry_error(self.address, f"{action} failed: {printable(first_line(error), 100)}") from error
        raise AssertionError("unreachable")


def _referrers_tag(digest: str) -> str:
    """https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema"""
    return digest.replace(":", "-")
