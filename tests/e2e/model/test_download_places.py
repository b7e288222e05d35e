"""Locked files from a registry on loopback and from a folder: the same checks, and the same resumption."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.hub_user import FILES, MB, WEIGHTS, lock_of
from tests.fakes.registry import LOGIN, FakeRegistry, fake_registry
from toolkit.core.errors import ConfigError, ModelError
from toolkit.model.download import DownloadConfig, DownloadResult, download

TARGET = Path("models/Small-Model")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locks = tmp_path / "data" / "locks"
    locks.mkdir(parents=True)
    (locks / "small-model.json").write_text(json.dumps(lock_of(FILES)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.fixture(name="registry")
def _registry() -> Iterator[FakeRegistry]:
    """Has each file as a blob, under its own digest, and asks for a token that it gives to anyone."""
    with fake_registry(auth="token") as registry:
        registry.blobs = {f"sha256:{hashlib.sha256(content).hexdigest()}": content for content in FILES.values()}
        yield registry


@pytest.fixture(name="stick")
def _stick(tmp_path: Path) -> Path:
    stick = tmp_path / "stick"
    stick.mkdir()
    for name, content in FILES.items():
        (stick / name).write_bytes(content)
    return stick


def downloaded(endpoint: str | Path) -> DownloadResult:
    return download(DownloadConfig(model="small-model", endpoint=str(endpoint)))


def is_whole() -> bool:
    return {path.name: path.read_bytes() for path in TARGET.iterdir() if path.is_file()} == FILES


def test_a_public_registry_gives_each_file_by_its_hash(registry: FakeRegistry) -> None:
    downloaded(f"oci+http://{registry.address}/models/small")

    assert is_whole()
    assert set(registry.logins) == {"Bearer pull"}


def test_a_registry_that_wants_a_login_is_named(registry: FakeRegistry) -> None:
    registry.auth = "basic"
    with pytest.raises(ModelError, match="models/small is not public"):
        downloaded(f"oci+http://{registry.address}/models/small")


@pytest.mark.parametrize(("auth", "sent"), [("basic", {LOGIN}), ("private", {LOGIN, "Bearer pull"})])
def test_a_stored_login_opens_a_private_registry_and_goes_to_no_cdn(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auth: str, sent: set[str]
) -> None:
    registry.auth, registry.elsewhere = auth, True
    stored = {"auths": {registry.address: {"auth": LOGIN.removeprefix("Basic ")}}}
    (tmp_path / "config.json").write_text(json.dumps(stored))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    downloaded(f"oci+http://{registry.address}/models/small")

    assert is_whole()
    assert set(registry.logins) == sent
    assert registry.logins_elsewhere == []


def test_a_registry_without_the_model_is_named_by_its_first_file(registry: FakeRegistry) -> None:
    registry.blobs.clear()
    with pytest.raises(ModelError, match=r"config\.json: not found .* \(404\)"):
        downloaded(f"oci+http://{registry.address}/models/small")


def test_other_bytes_under_the_right_hash_are_refused(registry: FakeRegistry) -> None:
    registry.blobs[f"sha256:{hashlib.sha256(FILES[WEIGHTS]).hexdigest()}"] = bytes(len(FILES[WEIGHTS]))
    with pytest.raises(ModelError, match=f"{WEIGHTS}: sha256"):
        downloaded(f"oci+http://{registry.address}/models/small")


@pytest.mark.parametrize("place", ["oci://", "oci://registry.lan", "oci://registry.lan/m:tag", "ftp://mirror"])
def test_what_is_no_place_is_refused(place: str) -> None:
    with pytest.raises(ConfigError, match="is not a"):
        downloaded(place)


def test_a_folder_on_this_host_is_copied_and_hashed_once(stick: Path) -> None:
    assert downloaded(stick).fetched == tuple(FILES)
    assert is_whole()


def test_a_copy_that_was_cut_goes_on(stick: Path) -> None:
    partial = Path("models/Small-Model.partial")
    partial.mkdir(parents=True)
    (partial / f"{WEIGHTS}.incomplete").write_bytes(FILES[WEIGHTS][: 5 * MB])
    with (stick / WEIGHTS).open("r+b") as file:
        file.write(bytes(5 * MB))  # not read again
    downloaded(stick)

    assert is_whole()


def test_a_folder_with_a_wrong_byte_a_short_or_a_missing_file_is_refused(stick: Path) -> None:
    (stick / "tokenizer.json").write_bytes(bytes(200_000))
    with pytest.raises(ModelError, match=r"tokenizer\.json: sha256"):
        downloaded(stick)
    (stick / "tokenizer.json").write_bytes(b"short")
    with pytest.raises(ModelError, match="offers 5 bytes"):
        downloaded(stick)
    (stick / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"has no tokenizer\.json"):
        downloaded(stick)


def test_a_model_without_a_lock_is_looked_up_on_the_hub_alone(stick: Path) -> None:
    with pytest.raises(ConfigError, match="has no lock yet"):
        download(DownloadConfig(model="maker/other-model", endpoint=str(stick)))
