"""Locked weights from a real registry that wants a login, over TLS: blobs that `oras push` would have put there."""

import base64
import hashlib
import json
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.local_registry import Login, Registry, open_registry
from tests.container.private_engine import install_if_absent
from tests.fakes.command import bare_environment
from tests.fakes.hub_user import FILES, write_lock

LOGIN = Login(user="ci", password="secret")
HEADER = "Basic " + base64.b64encode(f"{LOGIN.user}:{LOGIN.password}".encode()).decode()


@pytest.fixture(scope="module", name="registry")
def _registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Registry, Path]]:
    """With a model's files, and the certificate that its clients need."""
    install_if_absent("docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    with open_registry(folder, LOGIN) as registry:
        for content in FILES.values():
            push(registry, folder / "server.crt", content)
        yield registry, folder / "server.crt"


def push(registry: Registry, certificate: Path, content: bytes) -> None:
    context = ssl.create_default_context(cafile=str(certificate))

    def ask(method: str, url: str, body: bytes = b"") -> str:
        headers = {"Authorization": HEADER, "Content-Type": "application/octet-stream"}
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(request) as answer:
            return str(answer.headers["Location"])

    place = ask("POST", f"https://{registry.address}/v2/models/small/blobs/uploads/")
    ask("PUT", f"{place}&digest=sha256:{hashlib.sha256(content).hexdigest()}", content)


def downloaded(registry: tuple[Registry, Path], home: Path, password: str | None) -> subprocess.CompletedProcess[str]:
    (home / "data/locks").mkdir(parents=True)
    write_lock(home / "data/locks/small-model.json", FILES)
    if password is not None:
        pair = base64.b64encode(f"{LOGIN.user}:{password}".encode()).decode()
        (home / ".docker").mkdir()
        (home / ".docker/config.json").write_text(json.dumps({"auths": {registry[0].address: {"auth": pair}}}))
    return subprocess.run(
        [sys.executable, "-m", "toolkit", "download", "small-model", "--endpoint", f"oci://{registry[0].address}/models/small"],
        capture_output=True, text=True, check=False, cwd=home,
        env=bare_environment(
            home, TOOLKIT_DATA=str(home / "data"), SSL_CERT_FILE=str(registry[1]), NO_PROXY="127.0.0.1",
            PYTHONPATH=os.pathsep.join(sys.path),
        ),
    )  # fmt: skip


def test_the_stored_login_opens_it(registry: tuple[Registry, Path], tmp_path: Path) -> None:
    done = downloaded(registry, tmp_path, LOGIN.password)

    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "models/Small-Model").iterdir()} == FILES


@pytest.mark.parametrize(("password", "why"), [(None, "there is no login for"), ("wrong", "does not accept the login")])
def test_without_the_right_login_it_stays_closed(
    registry: tuple[Registry, Path], tmp_path: Path, password: str | None, why: str
) -> None:
    done = downloaded(registry, tmp_path, password)

    assert done.returncode == 4
    assert why in done.stderr
