"""What goes into a build: arguments, weights, the lock's own check. No engine."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from image.build.build import BuildConfig, _arguments, buildx, default_base_image, whole_model
from image.core.errors import ConfigError
from image.core.lock import Lock, LockedFile, read_lock, wrong_files
from image.core.project import ROOT, find_lock, version
from image.share.run_layer import run_layer

SEVEN_B = "qwen2.5-7b-instruct"


def test_the_base_image_is_pinned_by_digest_and_has_torchs_cuda_major() -> None:
    found = re.fullmatch(r"nvidia/cuda:(\d+)\.[\d.]+-base-\S+@sha256:[0-9a-f]{64}", default_base_image())
    assert found is not None
    assert f"nvidia-cudnn-cu{found[1]}" in (ROOT / "requirements/torch-cuda.txt").read_text()


def test_a_commit_moves_no_time_in_the_image() -> None:
    lock = find_lock(SEVEN_B)
    arguments = _arguments(BuildConfig(model=SEVEN_B), lock)
    assert arguments["SOURCE_DATE_EPOCH"] == "1726704000"
    assert arguments["CREATED"] == "2024-09-19T00:00:00Z"
    assert arguments["MODEL_REVISION"] == "a09a35458c702b33eeacc393d103063234e8bc28"
    assert arguments["MODEL_BYTES"] == str(lock.total_bytes)
    assert arguments["BASE_DIGEST"].startswith("sha256:")


def test_every_argument_is_one_of_the_dockerfile() -> None:
    known = set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    assert set(_arguments(BuildConfig(model=SEVEN_B), find_lock(SEVEN_B))) <= known


def test_the_child_process_rewrites_times_and_adds_no_attestation(tmp_path: Path) -> None:
    request = buildx.BuildRequest(
        reference="ft:1", context=tmp_path, arguments={"A": "1"}, contexts={"model": tmp_path / "m"},
        secrets={"ca_bundle": tmp_path / "ca"}, use_cache=False,
    )  # fmt: skip
    told = buildx.command(request, tmp_path / "metadata.json")
    assert "--provenance=false" in told
    assert "--no-cache" in told
    assert "--build-arg=A=1" in told
    assert f"--build-context=model={tmp_path}/m" in told
    assert f"--secret=id=ca_bundle,src={tmp_path}/ca" in told
    [output] = [each for each in told if each.startswith("--output=")]
    assert "type=docker" in output
    assert "dest=-" in output
    assert "rewrite-timestamp=true" in output


def test_a_model_with_more_shards_than_the_dockerfile_has_lines_is_refused() -> None:
    shards = tuple(
        LockedFile(name=f"model-0000{n}-of-00009.safetensors", size_bytes=1, sha256="0" * 64) for n in range(9)
    )
    lock = Lock(
        name="big", folder="big", repository="", revision="", licence="", source_date_epoch=0, files=shards, sha256=""
    )
    with pytest.raises(ConfigError, match="has 9 shards, and the Dockerfile has lines for 4"):
        whole_model(lock, say=lambda _: None, listener=lambda _: None)


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"qwen2\.5-7b-instruct, tiny-qwen2; none bakes none"):
        find_lock("gpt")


def test_the_version_is_the_toolkits() -> None:
    import toolkit

    assert version() == toolkit.__version__


def test_both_sides_read_the_same_lock() -> None:
    from toolkit.model.lock import read_lock as read_on_the_model_side

    for path in (ROOT / "data/locks").glob("*.json"):
        ours, theirs = read_lock(path), read_on_the_model_side(path)
        assert [(file.name, file.size_bytes, file.sha256) for file in ours.files] == [
            (file.name, file.size_bytes, file.sha256) for file in theirs.files
        ]
        assert (ours.folder, ours.repository, ours.licence) == (theirs.folder, theirs.repository, theirs.licence)


@pytest.fixture(name="model")
def _model(tmp_path: Path) -> Path:
    """A folder and its lock, tmp_path/lock.json."""
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    files = {"config.json": b"{}", "model.safetensors": b"weights", "sub/more.txt": b"more"}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    lock = {
        "name": "m", "folder": "m", "repository": "", "revision": "0" * 40, "licence": "Apache-2.0",
        "source_date_epoch": 0,
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        },
    }  # fmt: skip
    (tmp_path / "lock.json").write_text(json.dumps(lock))
    return folder


def check_in_the_build(model: Path) -> "subprocess.CompletedProcess[str]":
    """As the Dockerfile runs it: a script of its own, without the package."""
    parent = model.parent
    command = [sys.executable, "-I", ROOT / "image/core/lock.py", parent / "lock.json", model, parent / "small"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_builds_check_leaves_out_the_weights_and_sums_all(model: Path) -> None:
    assert check_in_the_build(model).returncode == 0
    small = model.parent / "small"
    assert {path.name for path in small.rglob("*") if path.is_file()} == {"config.json", "more.txt", "SHA256SUMS"}
    sums = subprocess.run(["sha256sum", "--check", small / "SHA256SUMS"], cwd=model, capture_output=True, check=False)
    assert sums.returncode == 0


def test_the_builds_check_names_each_wrong_file(model: Path) -> None:
    (model / "model.safetensors").write_bytes(b"weighty")
    (model / "config.json").unlink()
    done = check_in_the_build(model)
    assert done.returncode == 4
    assert "config.json: missing" in done.stderr
    assert "model.safetensors: sha256" in done.stderr
    assert not (model.parent / "small").exists()


def test_progress_counts_every_byte(model: Path) -> None:
    heard: list[int] = []
    assert list(wrong_files(model, read_lock(model.parent / "lock.json"), heard.append)) == []
    assert sum(heard) == sum(path.stat().st_size for path in model.rglob("*") if path.is_file())


def test_a_run_layer_holds_the_adapter_and_not_the_optimizer(tmp_path: Path) -> None:
    run = tmp_path / "v3-20260101-000000"
    (run / "checkpoint-8").mkdir(parents=True)
    for name in ("adapter_model.safetensors", "trainer_state.json", "optimizer.pt", "rng_state.pth"):
        (run / "checkpoint-8" / name).write_bytes(b"x")
    record = {"status": "finished", "adapter": {"path": "checkpoint-8", "sha256": "abc"}}
    (run / "run.json").write_text(json.dumps(record))
    layer = run_layer(tmp_path, "v3")
    with layer.context("base:1", epoch=1000) as (context, dockerfile):
        files = {path.relative_to(context).as_posix(): path for path in context.rglob("*")}
        here = "root/output/v3-20260101-000000"
        assert f"{here}/checkpoint-8/adapter_model.safetensors" in files
        assert f"{here}/checkpoint-8/optimizer.pt" not in files
        assert files["root/output/latest"].readlink() == Path("v3-20260101-000000")
        assert {path.lstat().st_mtime for path in files.values()} == {1000}
        assert files["root"].stat().st_mode & 0o7777 == 0o1777
        assert 'run.verdict="not compared"' in dockerfile.read_text()


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No run in .* is called v9"):
        run_layer(tmp_path, "v9")
