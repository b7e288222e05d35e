"""Tests that need an NVIDIA card: `make test-gpu`. A default run of pytest does not collect them.

They use the embedded model and random weights, and need no network.
"""

import os

# Before anything imports ms-swift or the hubs: they read these once.
os.environ.update(HF_HUB_OFFLINE="1", LOG_LEVEL="ERROR", TRANSFORMERS_VERBOSITY="error")

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.micro_model import make_micro_model


@pytest.fixture(autouse=True, scope="session")
def _card() -> None:
    """Without a card these tests fail: a skipped one would look as if it had run."""
    import torch

    if not torch.cuda.is_available():
        pytest.fail("tests/gpu needs an NVIDIA card, and torch finds none.")


@pytest.fixture(autouse=True)
def _own_peak() -> Iterator[None]:
    """What one test leaves on the card must not count for the next."""
    from toolkit.model.device import reset_peak_memory

    reset_peak_memory()
    yield
    reset_peak_memory()


@pytest.fixture(scope="session", name="micro_model")
def _micro_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights: for everything but meaning."""
    return make_micro_model(tmp_path_factory.mktemp("models") / "micro")
