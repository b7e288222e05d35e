"""What the project is called and where it lies."""

from pathlib import Path

import pytest

from image.core.errors import ConfigError
from image.core.project import find_lock, version


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r'qwen2\.5-7b-instruct, tiny-qwen2; "none" bakes in none'):
        find_lock("gpt")


def test_the_version_is_the_toolkits() -> None:
    import toolkit

    assert version() == toolkit.__version__


@pytest.mark.parametrize("model", ["../secret", "a/b", "/etc/x", "..", ""])
def test_an_images_label_names_no_file_elsewhere(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "locks" / "a").mkdir(parents=True)
    for path in ("data/secret.json", "data/locks/a/b.json", "data/locks/..json", "data/locks/.json"):
        (tmp_path / path).write_text("{}")
    monkeypatch.setattr("image.core.project.ROOT", tmp_path)
    with pytest.raises(ConfigError, match="Unknown base model"):
        find_lock(model)
