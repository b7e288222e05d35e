"""Rows attached to an adapter: only where asked for, and pulled as a run again that has every file in its place."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from image.core.errors import ConfigError, RegistryError
from image.share.pull_adapter import PullResult
from image.share.rows import ROWS_TYPE
from tests.fakes.artifact_exchange import published, pulled
from tests.fakes.portable_run import WEIGHTS, make_portable_run
from tests.fakes.registry import FakeRegistry, fake_registry

ROWS = ("train.jsonl", "keep.jsonl", "logging.jsonl", "probes.yaml")
CHECKPOINT = ("checkpoint-1/adapter_config.json", "checkpoint-1/trainer_state.json")


@pytest.fixture(name="registry")
def _registry():
    with fake_registry() as registry:
        yield registry


@pytest.fixture(name="output")
def _output(tmp_path: Path) -> Path:
    run = make_portable_run(tmp_path / "output")
    (run / "checkpoint-1").mkdir()
    (run / "checkpoint-1" / "optimizer.pt").write_text("state")
    for name in (*ROWS, *CHECKPOINT):
        (run / name).write_text(f"{name}\n")
    return tmp_path / "output"


def as_run(registry: FakeRegistry, output: Path) -> PullResult:
    return pulled(registry, output, with_rows=True)


def test_a_pulled_run_has_what_a_replay_needs(output: Path, registry: FakeRegistry, tmp_path: Path):
    published(registry, output, with_rows=True)
    result = as_run(registry, tmp_path / "elsewhere")
    run, original = result.run, next(output.glob("v0-*"))

    assert run == result.folder.with_name("adapter-1-run")
    for name in (*ROWS, *CHECKPOINT):
        assert (run / name).read_bytes() == (original / name).read_bytes()
    assert (run / "checkpoint-1" / "adapter_model.safetensors").read_bytes() == WEIGHTS
    assert (run / "run.json").read_bytes() == (original / "adapter" / "run.json").read_bytes()
    assert (run / "compare" / "report.json").read_bytes() == (original / "adapter" / "report.json").read_bytes()
    assert {path.name for path in (run / "adapter").iterdir()} == {path.name for path in result.folder.iterdir()}
    assert not (run / "checkpoint-1" / "optimizer.pt").exists()
    assert as_run(registry, tmp_path / "elsewhere").run == run


def test_rows_travel_only_where_that_is_asked_for(output: Path, registry: FakeRegistry, tmp_path: Path):
    published(registry, output)

    assert (next(output.glob("v0-*")) / "train.jsonl").read_bytes() not in registry.blobs.values()
    with pytest.raises(RegistryError, match=r"has no rows attached\. Its publisher can attach them"):
        as_run(registry, tmp_path / "elsewhere")


def test_a_link_among_the_rows_is_refused(output: Path, registry: FakeRegistry):
    path = next(output.glob("v0-*")) / "train.jsonl"
    path.unlink()
    path.symlink_to("/etc/hostname")

    with pytest.raises(ConfigError, match="is a link, so it is not shared"):
        published(registry, output, with_rows=True)
    assert registry.sent("PUT") == []


def test_a_checkpoint_outside_the_run_is_refused(output: Path, registry: FakeRegistry):
    path = next(output.glob("v0-*")) / "run.json"
    record = json.loads(path.read_text())
    record["adapter"]["path"] = "../checkpoint-1"
    path.write_text(json.dumps(record))

    with pytest.raises(ConfigError, match="does not name the checkpoint of its adapter"):
        published(registry, output, with_rows=True)


def layer(name: str, **changes: Any) -> dict[str, Any]:
    digest = "sha256:" + hashlib.sha256(b"{}").hexdigest()
    title = {"annotations": {"org.opencontainers.image.title": name}}
    return {"mediaType": "application/octet-stream", "digest": digest, "size": 2} | title | changes


@pytest.mark.parametrize(
    "attached",
    [
        layer("../train.jsonl"), layer("/etc/passwd"), layer("checkpoint-2/adapter_config.json"), layer("run.json"),
        layer("adapter/adapter_model.safetensors"), layer("train.jsonl", digest="sha256:x"), "no layer",
        layer("train.jsonl", size=2**40), layer("train.jsonl", annotations=["train.jsonl"]),
    ],
)  # fmt: skip
def test_a_file_that_this_run_cannot_have_is_refused(
    output: Path, registry: FakeRegistry, tmp_path: Path, attached: Any
):
    subject = published(registry, output).digest
    manifest = {"artifactType": ROWS_TYPE, "subject": {"digest": subject}, "layers": [attached]}
    content = json.dumps(manifest).encode()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    registry.manifests[digest] = content
    registry.manifests[subject.replace(":", "-")] = json.dumps({"manifests": [{"digest": digest}]}).encode()

    with pytest.raises(RegistryError, match="has rows attached that are not valid"):
        as_run(registry, tmp_path / "elsewhere")
    assert list((tmp_path / "elsewhere" / "pulled").iterdir()) == [tmp_path / "elsewhere" / "pulled" / "adapter-1"]


def test_a_pull_that_breaks_off_leaves_no_run(output: Path, registry: FakeRegistry, tmp_path: Path):
    published(registry, output, with_rows=True)
    path = next(output.glob("v0-*")) / "keep.jsonl"
    del registry.blobs["sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()]

    with pytest.raises(RegistryError, match="404"):
        as_run(registry, tmp_path / "elsewhere")
    assert [one.name for one in (tmp_path / "elsewhere" / "pulled").iterdir()] == ["adapter-1"]


def test_a_run_that_has_changed_is_not_taken_for_the_pulled_one(output: Path, registry: FakeRegistry, tmp_path: Path):
    published(registry, output, with_rows=True)
    run = as_run(registry, tmp_path / "elsewhere").run
    (run / "train.jsonl").write_text("others\n")

    with pytest.raises(ConfigError, match="exists and contains something else"):
        as_run(registry, tmp_path / "elsewhere")
