"""Models for the end-to-end tests, made or found once a session."""

import os

# Before anything imports ms-swift or the hubs: they read these once.
os.environ.update(
    HF_HUB_OFFLINE="1", LOG_LEVEL="ERROR", TRANSFORMERS_VERBOSITY="error", HF_HUB_DISABLE_PROGRESS_BARS="1"
)

from pathlib import Path

import pytest

from tests.e2e.micro_model import make_micro_model


@pytest.fixture(scope="session", name="micro_model")
def _micro_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights: for everything but meaning."""
    return make_micro_model(tmp_path_factory.mktemp("models") / "micro")
