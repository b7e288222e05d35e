"""A real registry on loopback: Debian's docker-registry, plain or with TLS and a login."""

import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.container.private_engine import install_if_absent
from tests.container.serving import free_port

READY_WITHIN_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Registry:
    address: str
    storage: Path

    def stored_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.storage.rglob("data") if path.is_file())


@dataclass(frozen=True, kw_only=True)
class Login:
    user: str
    password: str


@contextmanager
def open_registry(folder: Path, login: Login | None = None) -> Iterator[Registry]:
    """Serves until the block ends; with a login also TLS, since no client sends a password without."""
    folder.mkdir(exist_ok=True)
    port, storage = free_port(), folder / "storage"
    http: dict[str, object] = {"addr": f"127.0.0.1:{port}"}
    settings: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": http,
    }
    if login is not None:
        certificate, key = _certificate(folder)
        http["tls"] = {"certificate": str(certificate), "key": str(key)}
        settings["auth"] = {"htpasswd": {"realm": "test", "path": str(_htpasswd(folder, login))}}
    file = folder / "registry.yml"
    file.write_text(json.dumps(settings))  # JSON is YAML
    with (folder / "registry.log").open("wb") as log:
        server = subprocess.Popen(["docker-registry", "serve", file], stdout=log, stderr=log)
    try:
        _wait_for(port, server, folder / "registry.log")
        yield Registry(address=f"127.0.0.1:{port}", storage=storage)
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(storage, ignore_errors=True)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"The registry does not answer:\n{log.read_text()[-2000:]}")


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "server.crt", folder / "server.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    ssl.create_default_context(cafile=str(certificate))
    return certificate, key


def _htpasswd(folder: Path, login: Login) -> Path:
    install_if_absent("apache2-utils")
    told = subprocess.run(
        ["htpasswd", "-Bbn", login.user, login.password], capture_output=True, text=True, check=True
    ).stdout
    path = folder / "htpasswd"
    path.write_text(told)
    return path
