"""A run as a layer: what is in it, and what is not."""

import json
from pathlib import Path

import pytest

from image.core.errors import ConfigError
from image.share.run_layer import run_layer


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
    with pytest.raises(ConfigError, match=r"No run called v9 in"):
        run_layer(tmp_path, "v9")
