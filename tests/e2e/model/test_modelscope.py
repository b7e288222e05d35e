"""ModelScope's own client, against the shapes of that hub on loopback: what is pushed, and how it says no."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.writable_modelscope import PRIVATE, TOKEN, Kept, WritableModelScope
from toolkit.core.errors import RegistryError
from toolkit.model.hub import modelscope
from toolkit.model.hub.upload import Uploaded

NAME = "me/my-adapter"


@pytest.fixture(name="hub")
def _hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableModelScope]:
    with WritableModelScope() as hub:
        monkeypatch.setenv("MODELSCOPE_API_TOKEN", TOKEN)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield hub


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> dict[str, Path]:
    contents = {"README.md": b"# Mine", "adapter_model.safetensors": bytes(300_000), "adapter_config.json": b"{}"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / ".note").write_text("not to be pushed")
    return {name: tmp_path / name for name in contents}


def push(hub: WritableModelScope, files: dict[str, Path], **options: object) -> Uploaded:
    remote = modelscope.find_remote(NAME, hub.url)
    return modelscope.upload(
        files, NAME, remote=remote, private=True, message="Adapter of v0", endpoint=hub.url, **options
    )  # type: ignore[arg-type]


def test_a_push_makes_a_private_repository_with_every_file_and_no_other(hub, files):
    done = push(hub, files)

    kept = hub.repositories[NAME]
    assert kept.visibility == PRIVATE
    assert kept.files == {name: path.read_bytes() for name, path in files.items()}
    assert kept.commits == ["Adapter of v0 (batch 1/1)"]
    assert done.fresh
    assert done.url == f"{hub.url}/models/{NAME}"
    remote = modelscope.find_remote(NAME, hub.url)
    assert remote is not None
    assert (remote.private, remote.files, remote.commit) == (True, frozenset(files), done.commit)
    assert not (files["README.md"].parent / ".ms_upload_cache").exists()


def test_outdated_files_are_deleted(hub, files):
    push(hub, files)
    hub.repositories[NAME].files["report.md"] = b"old"
    files["README.md"].write_text("# Changed")

    push(hub, files, outdated=frozenset({"report.md"}))

    assert "report.md" not in hub.repositories[NAME].files
    assert hub.repositories[NAME].files["README.md"] == b"# Changed"


def test_a_public_repository_is_seen_as_such_and_a_missing_one_as_none(hub):
    hub.repositories["me/open"] = Kept(visibility=modelscope.PUBLIC)

    remote = modelscope.find_remote("me/open", hub.url)
    assert remote is not None
    assert not remote.private
    assert modelscope.find_remote("me/none", hub.url) is None


def test_without_a_token_it_says_how_to_log_in(hub, monkeypatch, tmp_path):
    monkeypatch.delenv("MODELSCOPE_API_TOKEN")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MODELSCOPE_HOME", str(tmp_path))
    with pytest.raises(RegistryError, match="modelscope login"):
        modelscope.require_token()


@pytest.mark.parametrize(("status", "words"), [(401, "does not accept your token"), (403, "not allowed to do that")])
def test_a_refusal_is_reported_with_its_reason(hub, files, status, words):
    hub.faults["models"] = status
    with pytest.raises(RegistryError, match=words):
        push(hub, files)
