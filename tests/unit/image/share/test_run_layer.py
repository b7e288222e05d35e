"""A run as a layer: what is in it, and what is not."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from image.core.errors import ConfigError
from image.share.run_layer import find_run, run_layer
from tests.fakes.portable_run import make_portable_run

SHA256 = hashlib.sha256(b"x").hexdigest()


def test_a_run_layer_holds_the_adapter_and_not_the_optimizer(tmp_path: Path) -> None:
    run = tmp_path / "v3-20260101-000000"
    (run / "checkpoint-8").mkdir(parents=True)
    for name in ("adapter_model.safetensors", "trainer_state.json", "optimizer.pt", "rng_state.pth"):
        (run / "checkpoint-8" / name).write_bytes(b"x")
    record = {"status": "finished", "adapter": {"path": "checkpoint-8", "sha256": SHA256}}
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
    with pytest.raises(ConfigError, match=r"No run called v9 in"):
        run_layer(tmp_path, "v9")


def finished_run(output: Path, **adapter: str) -> Path:
    run = output / "v3-20260101-000000"
    (run / "checkpoint-8").mkdir(parents=True)
    (run / "compare").mkdir()
    (run / "checkpoint-8" / "adapter_model.safetensors").write_bytes(b"x")
    record = {"status": "finished", "adapter": {"path": "checkpoint-8", "sha256": SHA256} | adapter}
    (run / "run.json").write_text(json.dumps(record))
    return run


@pytest.mark.parametrize("to", ["secret", "folder"])
@pytest.mark.parametrize("place", ["logging.jsonl", "compare/report.md", "compare/more", "checkpoint-8/README.md"])
def test_nothing_is_shared_through_a_link(tmp_path: Path, place: str, to: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "secret").write_text("secret")
    run = finished_run(tmp_path / "output")
    (run / place).symlink_to(tmp_path / to)

    with (
        pytest.raises(ConfigError, match="is a link, so it is not shared"),
        run_layer(tmp_path / "output", "v3").context("base:1", epoch=1000),
    ):
        pass


@pytest.mark.parametrize("place", ["compare", "checkpoint-8", "run.json"])
def test_a_part_that_is_a_link_is_not_shared(tmp_path: Path, place: str) -> None:
    run = finished_run(tmp_path / "output")
    (run / place).rename(tmp_path / "elsewhere")
    (run / place).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match=f"{place} is a link"), run_layer(tmp_path / "output", "v3").context("b", 1):
        pass


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(finished_run(tmp_path) / "compare" / "pipe")
    with pytest.raises(ConfigError, match="is not a regular file"), run_layer(tmp_path, "v3").context("b", 1):
        pass


@pytest.mark.parametrize("content", [b"y", b"", None])
def test_weights_that_are_not_those_of_the_run_are_not_shared(tmp_path: Path, content: bytes | None) -> None:
    weights = finished_run(tmp_path) / "checkpoint-8" / "adapter_model.safetensors"
    weights.unlink() if content is None else weights.write_bytes(content)
    with (
        pytest.raises(ConfigError, match="has changed since v3-20260101-000000 was trained"),
        run_layer(tmp_path, "v3").context("b", 1),
    ):
        pass


@pytest.mark.parametrize("path", ["..", "../..", "/", ".", "checkpoint-9"])
def test_the_adapter_is_a_folder_of_the_run(tmp_path: Path, path: str) -> None:
    (tmp_path / "private").write_text("secret")
    finished_run(tmp_path, path=path)
    with pytest.raises(ConfigError), run_layer(tmp_path, "v3").context("b", 1):
        pass


@pytest.mark.parametrize("sha256", ['abc"\nRUN touch /ran\n', "abc\nRUN x", '"', "$(id)", "a b"])
def test_a_record_adds_no_instruction_to_the_dockerfile(tmp_path: Path, sha256: str) -> None:
    finished_run(tmp_path, sha256=sha256)
    with pytest.raises(ConfigError, match="one is not valid"):
        run_layer(tmp_path, "v3")


@pytest.mark.parametrize("record", ["[]", "1", '{"adapter": 1}', '{"status": "finished", "adapter": []}', "[" * 99999])
def test_an_odd_record_is_an_error_of_the_run(tmp_path: Path, record: str) -> None:
    (finished_run(tmp_path) / "run.json").write_text(record)
    with pytest.raises(ConfigError):
        run_layer(tmp_path, "v3")


@pytest.mark.parametrize("name", ["latest", "v7-20260101-000000"])
@pytest.mark.parametrize("asked", ["latest", "v7", "v7-20260101-000000"])
def test_a_run_elsewhere_is_not_shared_through_a_link(tmp_path: Path, name: str, asked: str) -> None:
    elsewhere = make_portable_run(tmp_path / "elsewhere")
    output = tmp_path / "output"
    output.mkdir()
    (output / name).symlink_to(elsewhere)

    with pytest.raises(ConfigError, match=r"is a symbolic link that leads out of|No run called"):
        find_run(output, asked)


@pytest.mark.parametrize(
    ("sides", "verdict"),
    [
        ({}, "passed"),
        ({"after": {"adapter_sha256": "b" * 64}}, "not compared"),
        ({"after": {"adapter_sha256": SHA256, "scale": 0.5}}, "not compared"),
        ({"before": {"kind": "run", "adapter_sha256": "b" * 64}}, "not compared"),
    ],
)
def test_the_verdict_of_a_layer_is_the_runs_own(tmp_path: Path, sides: dict, verdict: str) -> None:
    run = finished_run(tmp_path)
    own = {"before": {"kind": "base"}, "after": {"adapter_sha256": SHA256}, "verdict": {"passed": True}}
    (run / "compare" / "report.json").write_text(json.dumps(own | sides))

    assert run_layer(tmp_path, "v3").verdict == verdict
