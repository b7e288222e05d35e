"""A published adapter on its way back, from a registry that cannot be trusted."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from image.core.errors import ConfigError, RegistryError
from tests.fakes.artifact_exchange import published, pulled
from tests.fakes.portable_run import DIGEST, RUN, WEIGHTS, make_portable_run
from tests.fakes.registry import fake_registry


def test_other_bytes_than_promised_are_thrown_away(tmp_path: Path) -> None:
    make_portable_run(tmp_path)
    with fake_registry() as registry:
        published(registry, tmp_path)
        for other in (b"x" * len(registry.blobs[f"sha256:{DIGEST}"]), b"short", registry.blobs[f"sha256:{DIGEST}"] * 2):
            registry.blobs[f"sha256:{DIGEST}"] = other
            with pytest.raises(RegistryError, match="does not match its digest"):
                pulled(registry, tmp_path)
    assert list((tmp_path / "pulled").iterdir()) == []


def test_a_manifest_that_is_not_the_one_asked_for_is_refused(tmp_path: Path) -> None:
    make_portable_run(tmp_path)
    with fake_registry() as registry:
        digest = published(registry, tmp_path).digest
        registry.manifests[digest] += b" "
        with pytest.raises(RegistryError, match="when asked for"):
            pulled(registry, tmp_path, f"{registry.address}/team/adapter@{digest}")


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    make_portable_run(tmp_path)
    with fake_registry() as registry:
        published(registry, tmp_path)
        folder = pulled(registry, tmp_path).folder
        (folder / "README.md").write_text("my notes")
        with pytest.raises(ConfigError, match="contains something else"):
            pulled(registry, tmp_path)
    assert (folder / "README.md").read_text() == "my notes"


def test_a_pull_writes_through_no_link(tmp_path: Path) -> None:
    make_portable_run(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    with fake_registry() as registry:
        published(registry, tmp_path)
        (tmp_path / "pulled").mkdir()
        for name in ("adapter-1.partial", "adapter-1"):
            (tmp_path / "pulled" / name).symlink_to(outside)
            with pytest.raises(ConfigError):
                pulled(registry, tmp_path)
            (tmp_path / "pulled" / name).unlink()
        (tmp_path / "pulled").rmdir()
        (tmp_path / "pulled").symlink_to(outside)
        with pytest.raises(ConfigError, match="is a symbolic link"):
            pulled(registry, tmp_path)
    assert [path.name for path in outside.iterdir()] == ["mine"]


def test_eight_pulls_at_once_all_succeed_and_one_of_them_downloads(tmp_path: Path) -> None:
    make_portable_run(tmp_path)
    with fake_registry() as registry:
        published(registry, tmp_path)
        for turn in range(5):
            output = tmp_path / f"turn-{turn}"
            with ThreadPoolExecutor(8) as pool:
                results = list(pool.map(lambda _, output=output: pulled(registry, output), range(8)))
            assert sorted(result.downloaded for result in results) == [False] * 7 + [True]
            assert [path.name for path in (output / "pulled").iterdir()] == ["adapter-1"]
            for path in (output / "pulled" / "adapter-1").iterdir():
                assert path.read_bytes() == (tmp_path / RUN / "adapter" / path.name).read_bytes()


def test_a_pull_that_fails_leaves_the_others_to_succeed(tmp_path: Path) -> None:
    make_portable_run(tmp_path)
    with fake_registry() as registry:
        published(registry, tmp_path)
        registry.faults[("GET", f"/blobs/sha256:{DIGEST}")] = [403]
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(pulled, registry, tmp_path) for _ in range(4)]
        errors = [job.exception() for job in jobs]
    assert sorted(type(error).__name__ for error in errors) == ["NoneType"] * 3 + ["RegistryError"]
    assert [path.name for path in (tmp_path / "pulled").iterdir()] == ["adapter-1"]


def test_what_a_killed_pull_left_is_replaced(tmp_path: Path) -> None:
    make_portable_run(tmp_path)
    with fake_registry() as registry:
        published(registry, tmp_path)
        (tmp_path / "pulled" / "adapter-1.partial").mkdir(parents=True)
        for name in ("adapter_model.safetensors", "other.json"):
            (tmp_path / "pulled" / "adapter-1.partial" / name).write_text("")
        folder = pulled(registry, tmp_path).folder
    assert (folder / "adapter_model.safetensors").read_bytes() == WEIGHTS
    assert not (folder / "other.json").exists()


def test_links_are_not_a_pulled_adapter(tmp_path: Path) -> None:
    """Complete by content, but what the links name can change after the check."""
    make_portable_run(tmp_path)
    with fake_registry() as registry:
        published(registry, tmp_path)
        folder = pulled(registry, tmp_path).folder
        (folder / "README.md").rename(tmp_path / "README.md")
        (folder / "README.md").symlink_to(tmp_path / "README.md")
        with pytest.raises(ConfigError, match="contains something else"):
            pulled(registry, tmp_path)


@pytest.mark.parametrize("verdict", ["passed\n", "passed; really", "\x1b[32mpassed", "", "PASSED"])
def test_a_verdict_is_one_of_three_words_or_unknown(tmp_path: Path, verdict: str) -> None:
    make_portable_run(tmp_path)
    with fake_registry() as registry:
        published(registry, tmp_path)
        manifest = json.loads(registry.manifests["1"])
        manifest["annotations"] |= {
            "finetune-and-prove.run.verdict": verdict, "finetune-and-prove.run.id": "v0\nverdict: passed" * 100
        }  # fmt: skip
        registry.manifests["1"] = json.dumps(manifest).encode()
        result = pulled(registry, tmp_path)
    assert result.verdict == "unknown"
    assert "\n" not in result.run_id
    assert len(result.run_id) <= 200
