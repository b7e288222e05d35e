"""Models for the end-to-end tests, made or found once a session."""

import os

# Before anything imports ms-swift or the hubs: they read these once.
# One thread: so small a model gains nothing by two, and loses minutes where another process wants the second core.
os.environ.update(
    OMP_NUM_THREADS="1",
    HF_HUB_OFFLINE="1",
    LOG_LEVEL="ERROR",
    TRANSFORMERS_VERBOSITY="error",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
)

from pathlib import Path

import pytest

from tests.fakes.made_run import make_lively
from tests.fakes.micro_model import make_micro_model


@pytest.fixture(scope="session", name="micro_model")
def _micro_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights: for everything but meaning."""
    return make_micro_model(tmp_path_factory.mktemp("models") / "micro")


@pytest.fixture(scope="session", name="lively_model")
def _lively_model(micro_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights whose answers wander: for what must not change an answer, or must."""
    return make_lively(tmp_path_factory.mktemp("models") / "lively", micro_model)
