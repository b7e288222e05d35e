"""What the project is called and where it lies."""

import pytest

from image.core.errors import ConfigError
from image.core.project import find_lock, version


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r'qwen2\.5-7b-instruct, tiny-qwen2; "none" bakes in none'):
        find_lock("gpt")


def test_the_version_is_the_toolkits() -> None:
    import toolkit

    assert version() == toolkit.__version__
