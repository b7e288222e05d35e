"""A user at a shell who downloads a made-up model from the hub on loopback."""

import hashlib
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.fakes.command import PATIENCE_S, TOOLKIT, bare_environment
from tests.fakes.hub_server import REPOSITORY, REVISION, HubServer
from toolkit.core.events import silent
from toolkit.model.hub.fetch import Source, fetch_from
from toolkit.model.lock import Lock, LockedFile

MB = 1024 * 1024
SOON_S = 40  # on a busy machine; after all attempts it would be minutes
WEIGHTS = "model-00001-of-00001.safetensors"
# huggingface_hub hands on 10 MiB at a time: what a cut leaves of a smaller piece is lost.
FILES = {
    "config.json": b'{"architectures": ["SmallForCausalLM"]}',
    "tokenizer.json": os.urandom(200_000),
    WEIGHTS: os.urandom(24 * MB),
}


class User:
    """Has an empty home, and a data folder with the made-up model's lock."""

    def __init__(self, home: Path, hub: HubServer) -> None:
        self.hub, self.home = hub, home
        self.target = home / "models" / "Small-Model"
        self.partial = home / "models" / "Small-Model.partial"
        self.lock_file = home / "data" / "locks" / "small-model.json"
        self.lock_file.parent.mkdir(parents=True)
        self.lock_file.write_text(json.dumps(lock_of(FILES)))
        self.environment = bare_environment(
            home, TOOLKIT_DATA=str(home / "data"), HF_ENDPOINT=hub.url, MODELSCOPE_ENDPOINT=hub.url,
            NO_PROXY="127.0.0.1,localhost",
        )  # fmt: skip

    def starts(self, *arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [TOOLKIT, *arguments], cwd=self.home, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def runs(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        child = self.starts(*arguments)
        out, err = child.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(arguments, child.returncode, out, err)

    def downloads(self, *options: str | Path) -> subprocess.CompletedProcess[str]:
        return self.runs("download", "small-model", *options)

    def has_the_whole_model(self) -> bool:
        found = {path.name: path.read_bytes() for path in self.target.rglob("*") if path.is_file()}
        return found == FILES and not self.partial.exists()


def write_lock(path: Path, files: dict[str, bytes], **fields: object) -> None:
    path.write_text(json.dumps(lock_of(files) | fields))


def lock_of(files: dict[str, bytes]) -> dict[str, object]:
    entries = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()
    }
    return {
        "schema_version": 1, "name": "small-model", "folder": "Small-Model", "repository": REPOSITORY,
        "revision": REVISION, "licence": "CC0-1.0", "files": entries,
    }  # fmt: skip


def fetch_weights(hub: HubServer, folder: Path, source: Source = "hf") -> None:
    lock = Lock(name="m", folder="M", repository=REPOSITORY, revision=REVISION, licence="CC0-1.0", files=())
    content = FILES[WEIGHTS]
    file = LockedFile(name=WEIGHTS, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    with pytest.MonkeyPatch.context() as patch:  # other tests of this process work offline
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        fetch_from(source, hub.url)(lock, file, folder, silent)


def wait_for_size(path: Path, size: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists() or path.stat().st_size < size:
        assert time.monotonic() < deadline, f"{path} did not grow to {size}"
        time.sleep(0.05)
