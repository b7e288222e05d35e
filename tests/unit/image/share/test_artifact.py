"""A folder as an artifact and back: what travels, what it is called, and what is refused on the way in."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from image.core import labels
from image.core.errors import RegistryError
from image.share.artifact import Facts, pack, unpack
from tests.fakes.portable_run import DIGEST, make_portable_run

FACTS = Facts(
    run_id="v0-20260101-000000", created="2026-01-01T00:00:00+00:00", verdict="passed",
    family="qwen2", base_name="mine",
    base_repository="me/mine", base_revision="a" * 40, base_lock_sha256="", licence="Apache-2.0",
    adapter_sha256=DIGEST, data_sha256="d" * 64, precision="bfloat16",
)  # fmt: skip


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    return make_portable_run(tmp_path) / "adapter"


def test_an_artifact_speaks_modelpack_and_names_every_file(folder: Path) -> None:
    manifest = json.loads(pack(folder, FACTS).manifest)

    assert manifest["artifactType"] == "application/vnd.cncf.model.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.cncf.model.config.v1+json"
    weights = manifest["layers"][0]
    assert weights["mediaType"] == "application/vnd.cncf.model.weight.v1.raw"
    assert weights["digest"] == f"sha256:{DIGEST}"
    assert weights["annotations"] == {
        "org.cncf.model.filepath": "adapter_model.safetensors",
        "org.opencontainers.image.title": "adapter_model.safetensors",
    }
    names = [layer["annotations"]["org.cncf.model.filepath"] for layer in manifest["layers"]]
    assert names == ["adapter_model.safetensors", "adapter_config.json", "README.md", "report.json", "run.json"]


def test_the_annotations_say_what_it_stands_on_and_what_was_proven(folder: Path) -> None:
    annotations = json.loads(pack(folder, FACTS).manifest)["annotations"]

    assert annotations[labels.MODEL_REPOSITORY] == "me/mine"
    assert annotations[labels.MODEL_REVISION] == "a" * 40
    assert annotations[labels.RUN_ID] == FACTS.run_id
    assert annotations[labels.RUN_VERDICT] == "passed"
    assert annotations[labels.DATA_SHA256] == "d" * 64
    assert labels.MODEL_LOCK_SHA256 not in annotations  # an empty one says nothing


def test_the_configuration_lists_what_the_layers_hold(folder: Path) -> None:
    artifact = pack(folder, FACTS)
    config = artifact.blobs[-1]
    told = json.loads(config.content)

    assert told["modelfs"] == {"type": "layers", "diffIds": [blob.digest for blob in artifact.blobs[:-1]]}
    assert config.digest == f"sha256:{hashlib.sha256(config.content).hexdigest()}"
    assert set(told) == {"descriptor", "config", "modelfs"}


def test_the_same_content_has_the_same_digest_and_another_another(folder: Path, tmp_path: Path) -> None:
    first = pack(folder, FACTS).digest
    (folder / "export.json").write_text('{"exported_at": "tomorrow"}')
    elsewhere = make_portable_run(tmp_path / "elsewhere") / "adapter"

    assert pack(folder, FACTS).digest == first
    assert pack(elsewhere, FACTS).digest == first
    assert pack(folder, dataclasses.replace(FACTS, verdict="failed")).digest != first
    (folder / "README.md").write_text("# Another card\n")
    assert pack(folder, FACTS).digest != first


def test_what_was_packed_is_read_back(folder: Path) -> None:
    artifact = pack(folder, FACTS)
    blobs, annotations = unpack(artifact.manifest, "r/a:1")

    assert [(blob.name, blob.digest, blob.size_bytes) for blob in blobs] == [
        (blob.name, blob.digest, blob.size_bytes) for blob in artifact.blobs[:-1]
    ]
    assert annotations[labels.RUN_VERDICT] == "passed"


@pytest.mark.parametrize(
    "name", ["../evil.json", "/etc/cron.d/x", "a/b.json", "adapter_model.bin", "setup.py", "README.md", ""]
)
def test_a_file_that_is_none_of_an_adapters_is_refused(folder: Path, name: str) -> None:
    manifest = json.loads(pack(folder, FACTS).manifest)
    layer = json.loads(json.dumps(manifest["layers"][0]))
    layer["annotations"] = dict.fromkeys(layer["annotations"], name)
    manifest["layers"].append(layer)

    with pytest.raises(RegistryError, match="does not belong in an adapter"):
        unpack(json.dumps(manifest).encode(), "r/a:1")


@pytest.mark.parametrize(
    "manifest",
    [b"", b"[]", b"{}", b'{"layers": []}', b'{"artifactType": "x", "layers": [{"mediaType": "y"}]}'],
)
def test_what_is_no_adapters_manifest_is_refused(manifest: bytes) -> None:
    with pytest.raises(RegistryError, match="docker pull"):
        unpack(manifest, "r/a:1")


def test_an_image_is_no_adapter(folder: Path) -> None:
    manifest = json.loads(pack(folder, FACTS).manifest)
    del manifest["artifactType"]
    manifest["config"]["mediaType"] = "application/vnd.oci.image.config.v1+json"

    with pytest.raises(RegistryError, match=r"is not an adapter .*image\.config"):
        unpack(json.dumps(manifest).encode(), "r/a:1")


@pytest.mark.parametrize(("key", "value"), [("digest", "md5:1"), ("size", -1), ("size", "12")])
def test_a_layer_without_a_sound_digest_and_size_is_refused(folder: Path, key: str, value: object) -> None:
    manifest = json.loads(pack(folder, FACTS).manifest)
    manifest["layers"][0][key] = value

    with pytest.raises(RegistryError):
        unpack(json.dumps(manifest).encode(), "r/a:1")


def test_thirty_thousand_layers_are_refused(folder: Path) -> None:
    manifest = json.loads(pack(folder, FACTS).manifest)
    layer = manifest["layers"][0]
    manifest["layers"] += [
        layer | {"annotations": dict.fromkeys(layer["annotations"], f"{at}.json")} for at in range(30_000)
    ]
    with pytest.raises(RegistryError, match=r"lists 300\d\d files; an adapter has at most 100"):
        unpack(json.dumps(manifest).encode(), "r/a:1")


@pytest.mark.parametrize(("at", "size"), [(0, 2**40), (1, 10**9), (0, 10**400)])
def test_a_file_larger_than_an_adapters_is_refused_before_its_download(folder: Path, at: int, size: int) -> None:
    manifest = json.loads(pack(folder, FACTS).manifest)
    manifest["layers"][at]["size"] = size
    with pytest.raises(RegistryError, match=r"contains adapter_\w+\.\w+ with \d+ bytes; at most"):
        unpack(json.dumps(manifest).encode(), "r/a:1")


@pytest.mark.parametrize("deep", ["[" * 200_000, '{"layers": ' * 200_000, '{"layers": [1e999]}', '{"layers": [NaN]}'])
def test_a_manifest_nested_or_counted_without_end_is_refused(deep: str) -> None:
    with pytest.raises(RegistryError, match="docker pull"):
        unpack(deep.encode(), "r/a:1")
