"""Which image and which weights a run takes, where the image has none. No engine."""

from pathlib import Path

import pytest

from image.core import labels
from image.core.errors import ConfigError
from image.engine import ImageInfo
from image.run.thin import Weights, has_no_weights, image_for, needs_weights

SEVEN_B = "qwen2.5-7b-instruct"


class Engine:
    """Has these images."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def find_image(self, reference: str) -> ImageInfo | None:
        name = reference.rpartition(":")[2]
        if name not in self._names:
            return None
        return ImageInfo(reference=reference, image_id="i", labels={labels.MODEL_NAME: name}, repo_digests=())


def chosen(engine: Engine, model: str, reference: str | None = None) -> str | None:
    found = image_for(engine, reference or f"finetune-and-prove:{model}", model)  # type: ignore[arg-type]
    return None if found is None else found.reference.rpartition(":")[2]


def test_the_image_with_the_weights_comes_first_and_the_thin_one_serves_any_locked_model() -> None:
    assert chosen(Engine(SEVEN_B, "none"), SEVEN_B) == SEVEN_B
    assert chosen(Engine("none"), SEVEN_B) == "none"
    assert chosen(Engine("none"), "none") == "none"
    assert chosen(Engine("tiny-qwen2"), SEVEN_B) is None


def test_an_image_that_was_named_or_a_model_without_a_lock_is_not_replaced() -> None:
    assert chosen(Engine("none"), SEVEN_B, "ghcr.io/me/image:1") is None
    assert chosen(Engine("none"), "unheard-of") is None


def test_only_an_image_that_says_so_has_no_weights() -> None:
    def image(**found: str) -> ImageInfo:
        return ImageInfo(reference="r", image_id="i", labels=found, repo_digests=())

    assert has_no_weights(image(**{labels.MODEL_NAME: "none"}))
    assert not has_no_weights(image(**{labels.MODEL_NAME: SEVEN_B}))
    assert not has_no_weights(image())


def test_the_hosts_models_are_mounted_for_all_images_to_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [mount] = Weights.named("none").mounts()

    assert (mount.source, mount.target, mount.read_only) == (str(tmp_path / "models"), "/root/models", True)
    assert (tmp_path / "models").is_dir()  # else the engine would make it, as root


def test_the_shipped_model_needs_no_mount_and_an_unknown_one_is_named() -> None:
    assert Weights.named("tiny-qwen2").mounts() == ()
    with pytest.raises(ConfigError, match='Unknown base model "unheard-of"'):
        Weights.named("unheard-of")


def test_nothing_is_fetched_for_a_command_that_reads_no_model() -> None:
    assert needs_weights(("toolkit", "finetune", "runs"))
    assert needs_weights(("swift", "sft"))
    assert not needs_weights(("toolkit", "launch", "--slurm"))
    assert not needs_weights(("bash", "-c", "toolkit finetune"))
